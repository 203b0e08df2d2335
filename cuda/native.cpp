// The native backend: a loop over arenas, shared out to threads. It holds no rule: those are in the
// *.cuh files.
#include "canvas.h"
#include "hash.cuh"
#include "threads.h"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;

template <class T, int dimensions>
using Array = nb::ndarray<T, nb::ndim<dimensions>, nb::c_contig, nb::device::cpu>;

namespace {

constexpr int STEP_GRAIN = 64, DRAW_GRAIN = 8; // arenas that a thread takes at a time

class Native {
  public:
    Native(Array<uint8_t, 2> arenas, Array<uint8_t, 2> final_arenas, Array<int32_t, 2> tuning,
           Array<int32_t, 1> reward, Array<bool, 1> terminated, Array<bool, 1> truncated,
           Array<bool, 1> begun, int frame_skip, uint32_t max_ticks, int autoreset, int num_threads)
        : arenas_(arenas), final_arenas_(final_arenas), tuning_(tuning), reward_(reward),
          terminated_(terminated), truncated_(truncated), begun_(begun),
          pace_{frame_skip, max_ticks, autoreset}, threads_(num_threads) {
        const size_t n = arenas.shape(0);
        if (arenas.shape(1) != sizeof(Arena) || final_arenas.shape(0) != n ||
            final_arenas.shape(1) != sizeof(Arena) || tuning.shape(0) != n ||
            tuning.shape(1) * sizeof(int32_t) != sizeof(Tuning) || reward.shape(0) != n ||
            terminated.shape(0) != n || truncated.shape(0) != n || begun.shape(0) != n) {
            throw nb::value_error(
                "the buffers of a simulator differ in length or in the size of a record");
        }
    }

    void reset(std::optional<Array<const uint64_t, 1>> seeds,
               std::optional<Array<const bool, 1>> mask) {
        for (int i = 0; i < int(num_envs()); i++) {
            const bool chosen = !mask || mask->data()[i];
            begun_.data()[i] = chosen;
            if (!chosen) continue;
            reward_.data()[i] = 0;
            terminated_.data()[i] = truncated_.data()[i] = false;
            Arena &arena = this->arena(i);
            arena.core.episode = seeds ? 0 : arena.core.episode + 1;
            if (seeds) arena.core.seed = seeds->data()[i];
            begin(arena.objects, arena.core, tuning(i), Serial{});
        }
    }

    void step(Array<const int32_t, 1> actions, std::optional<Array<uint8_t, 4>> frames) {
        if (actions.shape(0) != num_envs())
            throw nb::value_error("one action for each arena is needed");
        const Format format = frames ? format_of(*frames, num_envs()) : Format{};
        const int32_t *action = actions.data();
        uint8_t *image = frames ? frames->data() : nullptr;
        nb::gil_scoped_release release;
        share(num_envs(), frames ? DRAW_GRAIN : STEP_GRAIN, [&](int first, int last) {
            Painter painter(format.size, format.channels);
            for (int i = first; i < last; i++) {
                Arena &arena = this->arena(i);
                const Outcome outcome =
                    ::step(arena.objects, arena.core, tuning(i), pace_, action[i], Serial{},
                           [&] { final_arena(i) = arena; });
                reward_.data()[i] = outcome.points;
                terminated_.data()[i] = (outcome.flags & TERMINATED) != 0;
                truncated_.data()[i] = (outcome.flags & TRUNCATED) != 0;
                begun_.data()[i] = (outcome.flags & BEGUN) != 0;
                if (image != nullptr) painter.draw(arena, tuning(i), image + format.bytes() * i);
            }
        });
    }

    // Draws the arenas `indices`, or all of them, into frames; `final_state` takes those of
    // final_arenas.
    void render(Array<uint8_t, 4> frames, std::optional<Array<const int64_t, 1>> indices,
                bool final_state) {
        const size_t n = indices ? indices->shape(0) : num_envs();
        const Format format = format_of(frames, n);
        const int64_t *index = indices ? indices->data() : nullptr;
        for (size_t k = 0; index != nullptr && k < n; k++) {
            if (index[k] < 0 || size_t(index[k]) >= num_envs())
                throw nb::index_error("no such arena");
        }
        uint8_t *image = frames.data();
        nb::gil_scoped_release release;
        share(n, DRAW_GRAIN, [&](int first, int last) {
            Painter painter(format.size, format.channels);
            for (int k = first; k < last; k++) {
                const int i = index ? int(index[k]) : k;
                painter.draw(final_state ? final_arena(i) : arena(i), tuning(i),
                             image + format.bytes() * k);
            }
        });
    }

    void hash(Array<uint64_t, 1> out) {
        if (out.shape(0) != num_envs()) throw nb::value_error("one hash for each arena is wanted");
        uint64_t *hashes = out.data();
        nb::gil_scoped_release release;
        share(num_envs(), STEP_GRAIN, [&](int first, int last) {
            for (int i = first; i < last; i++) {
                hashes[i] = state_hash(reinterpret_cast<const uint32_t *>(&arena(i)));
            }
        });
    }

  private:
    size_t num_envs() const { return arenas_.shape(0); }
    Arena &arena(int i) { return reinterpret_cast<Arena *>(arenas_.data())[i]; }
    Arena &final_arena(int i) { return reinterpret_cast<Arena *>(final_arenas_.data())[i]; }
    const Tuning &tuning(int i) const {
        return reinterpret_cast<const Tuning *>(tuning_.data())[i];
    }

    struct Format {
        int size = 0, channels = 0;
        size_t bytes() const { return size_t(channels) * size * size; }
    };

    static Format format_of(const Array<uint8_t, 4> &frames, size_t n) {
        const size_t size = frames.shape(1), channels = frames.shape(3);
        if (frames.shape(0) != n || frames.shape(2) != size || (channels != 3 && channels != 1) ||
            size < 16 || size > 1024) {
            throw nb::value_error(
                "frames must be uint8 [n, size, size, 3 or 1] with size from 16 to 1024");
        }
        return {int(size), int(channels)};
    }

    void share(size_t n, int grain, const std::function<void(int, int)> &job) {
        if (int(n) <= grain || threads_.count() == 1) {
            if (n > 0) job(0, int(n));
            return;
        }
        threads_.get().run(int(n), grain, job);
    }

    Array<uint8_t, 2> arenas_, final_arenas_;
    Array<int32_t, 2> tuning_;
    Array<int32_t, 1> reward_;
    Array<bool, 1> terminated_, truncated_, begun_;
    Pace pace_;
    ForkableThreads threads_;
};

// The record as C++ lays it out: (name, offset, bytes) of each field.
std::vector<std::tuple<const char *, size_t, size_t>> layout() {
#define FIELD(part, name)                                                                          \
    { #name, offsetof(Arena, part.name), sizeof(Arena{}.part.name) }
    return {
        FIELD(objects, rock_x),      FIELD(objects, bullet_x),   FIELD(objects, rock_y),
        FIELD(objects, bullet_y),    FIELD(objects, rock_vx),    FIELD(objects, bullet_vx),
        FIELD(objects, rock_vy),     FIELD(objects, bullet_vy),  FIELD(objects, rock_size),
        FIELD(objects, bullet_life), FIELD(objects, rock_angle), FIELD(objects, rock_spin),
        FIELD(core, ship_x),         FIELD(core, ship_y),        FIELD(core, ship_vx),
        FIELD(core, ship_vy),        FIELD(core, ship_heading),  FIELD(core, cooldown),
        FIELD(core, shield),         FIELD(core, dying),         FIELD(core, thrusting),
        FIELD(core, lives),          FIELD(core, wave_timer),    FIELD(core, ended),
        FIELD(core, wave),           FIELD(core, score),         FIELD(core, tick),
        FIELD(core, episode),        FIELD(core, seed),
    };
#undef FIELD
}

} // namespace

NB_MODULE(_native, m) {
    m.attr("RULES_VERSION") = RULES_VERSION;
    m.def("layout", &layout);
    nb::class_<Native>(m, "Native")
        .def(nb::init<Array<uint8_t, 2>, Array<uint8_t, 2>, Array<int32_t, 2>, Array<int32_t, 1>,
                      Array<bool, 1>, Array<bool, 1>, Array<bool, 1>, int, uint32_t, int, int>())
        .def("reset", &Native::reset, nb::arg("seeds").none(), nb::arg("mask").none())
        .def("step", &Native::step, nb::arg("actions"), nb::arg("frames").none())
        .def("render", &Native::render, nb::arg("frames"), nb::arg("indices").none(),
             nb::arg("final_state"))
        .def("hash", &Native::hash, nb::arg("out"));
}
