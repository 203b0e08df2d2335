// The net of mirage_wm/unet.py for Python, compiled by the host's compiler: mirage_wm._net.
#include "unet.h"

#include <mutex>
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;

// One set of functions for each set of instructions; the widest that this processor has is taken.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
namespace v4 {
constexpr int LANES = 16, ROWS = 8, PIECE = 3;
#include "arithmetic.h"
} // namespace v4
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
namespace v3 {
constexpr int LANES = 8, ROWS = 4, PIECE = 3;
#include "arithmetic.h"
} // namespace v3
#pragma GCC pop_options
#define WIDE
#endif

namespace plain {
constexpr int LANES = 4, ROWS = 4, PIECE = 2;
#include "arithmetic.h"
} // namespace plain

const Arithmetic &arithmetic(const std::string &set) {
#ifdef WIDE
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi2");
    const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (v4 && (set == "auto" || set == "v4")) return v4::ARITHMETIC;
    if (v3 && (set == "auto" || set == "v3")) return v3::ARITHMETIC;
#endif
    if (set == "auto" || set == "plain") return plain::ARITHMETIC;
    throw nb::value_error(("this processor has no instructions " + set).c_str());
}

template <class T, int dimensions>
using Array = nb::ndarray<T, nb::ndim<dimensions>, nb::c_contig, nb::device::cpu>;

class Net {
  public:
    Net(nb::dict weights, int edge, int frames, int extra, const std::vector<int> &widths,
        int blocks, int embedding, int told, int kernels, int num_threads,
        const std::string &instructions)
        : net_(unpacked(weights), {edge, frames, extra, widths, blocks, embedding, told, kernels},
               arithmetic(instructions)),
          threads_(num_threads) {}

    void run(Array<const uint8_t, 5> seen, std::optional<Array<const float, 4>> more,
             Array<const float, 2> condition, Array<float, 4> pictures, Array<float, 2> told) {
        const size_t n = seen.shape(0), e = size_t(net_.sizes.edge);
        const bool fits =
            seen.shape(1) == size_t(net_.sizes.frames) && seen.shape(2) == e &&
            seen.shape(3) == e && seen.shape(4) == 3 && bool(more) == (net_.sizes.extra > 0) &&
            (!more || (more->shape(0) == n && more->shape(1) == size_t(net_.sizes.extra) &&
                       more->shape(2) == e && more->shape(3) == e)) &&
            condition.shape(0) == n && condition.shape(1) == size_t(net_.sizes.embedding) &&
            pictures.shape(0) == n && pictures.shape(1) == e && pictures.shape(2) == e &&
            pictures.shape(3) == 3 && told.shape(0) == n &&
            told.shape(1) == size_t(net_.sizes.told);
        if (!fits) throw nb::value_error("the arrays given to the net differ from it in shape");
        nb::gil_scoped_release release;
        const std::lock_guard<std::mutex> lock(mutex_);
        const int count = threads_.count();
        Threads *threads = count > 1 ? &threads_.get() : nullptr;
        while (int(workspaces_.size()) < count) workspaces_.push_back(net_.workspace());
        const auto one = [&](int i, Workspace &workspace, const Team &team) {
            const float *c = condition.data() + i * condition.shape(1);
            net_(seen.data() + i * seen.shape(1) * e * e * 3,
                 more ? more->data() + i * more->shape(1) * e * e : nullptr,
                 {c, c + condition.shape(1)}, pictures.data() + i * e * e * 3,
                 told.data() + i * told.shape(1), workspace, team);
        };
        // A picture to each thread while there are as many, then all threads to each picture.
        int i = 0;
        for (; count > 1 && i + count <= int(n); i += count)
            threads->run(count, 1, [&](int first, int last) {
                for (int j = first; j < last; j++) one(i + j, workspaces_[j], {nullptr, 1});
            });
        for (; i < int(n); i++) one(i, workspaces_[0], {threads, count});
    }

  private:
    static Weights unpacked(nb::dict weights) {
        Weights result;
        for (auto [name, value] : weights) {
            const auto array =
                nb::cast<nb::ndarray<const float, nb::c_contig, nb::device::cpu>>(value);
            Weights::Array &entry = result.arrays[nb::cast<std::string>(name)];
            entry.data = array.data();
            for (size_t d = 0; d < array.ndim(); d++) entry.shape.push_back(int(array.shape(d)));
        }
        return result;
    }

    UNet net_;
    std::vector<Workspace> workspaces_;
    ForkableThreads threads_;
    std::mutex mutex_;
};

NB_MODULE(_net, m) {
    nb::class_<Net>(m, "Net")
        .def(nb::init<nb::dict, int, int, int, const std::vector<int> &, int, int, int, int, int,
                      const std::string &>(),
             nb::arg("weights"), nb::arg("edge"), nb::arg("frames"), nb::arg("extra"),
             nb::arg("widths"), nb::arg("blocks"), nb::arg("embedding"), nb::arg("told"),
             nb::arg("kernels"), nb::arg("num_threads"), nb::arg("instructions") = "auto")
        .def("run", &Net::run, nb::arg("seen"), nb::arg("more").none(), nb::arg("condition"),
             nb::arg("pictures"), nb::arg("told"));
}
