// The net of mirage_wm/unet.py on a CPU: the same layers in the same order.
//
// What makes it fast: convolutions of 3x3 are done in 16 products for four pixels instead of 36
// (Winograd's F(2x2, 3x3); Lavin and Gray 2016, https://arxiv.org/abs/1509.09308), the border that
// wraps is written where the pixels are written, and normalisation, FiLM and SiLU are one pass.
#pragma once
#include "../../cuda/threads.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

constexpr int ALIGNED = 16; // channels that the widest registers take at a time
inline int aligned(int channels) { return (channels + ALIGNED - 1) / ALIGNED * ALIGNED; }

// The columns of a matrix in pieces of up to `most` registers, as even as can be.
template <class Visit> void for_each_piece(int n, int lanes, int most, const Visit &visit) {
    const int registers = n / lanes, pieces = (registers + most - 1) / most;
    for (int i = 0; i < pieces; i++) {
        const int first = registers * i / pieces, last = registers * (i + 1) / pieces;
        visit(first * lanes, last - first);
    }
}

// A matrix [k, n], packed piece by piece in the order in which it is read.
struct Matrix {
    int k = 0, n = 0;
    std::vector<float> values;
};

// The arithmetic of the layers, for one set of instructions: see arithmetic.h.
struct Arithmetic {
    int lanes, piece;
    void (*multiply)(const float *x, ptrdiff_t x_stride, int m, const Matrix &w, const float *bias,
                     bool add, float *y, ptrdiff_t y_stride);
    void (*spread)(const float *pixels, ptrdiff_t row, int channels, float *to, ptrdiff_t plane);
    void (*gather)(const float *from, ptrdiff_t plane, const float *bias, bool add, int channels,
                   float *pixels, ptrdiff_t row);
    void (*activate)(const float *x, int pixels, int channels, float share, const float *gain,
                     const float *shift, float *y);
};

// Weights as PyTorch names and lays them out; the layers below look theirs up and pack them.
class Weights {
  public:
    struct Array {
        const float *data;
        std::vector<int> shape;
    };
    std::unordered_map<std::string, Array> arrays;

    // The weights of this name. Throws std::invalid_argument if they are missing or of another
    // shape.
    const float *at(const std::string &name, const std::vector<int> &shape) const {
        const auto found = arrays.find(name);
        if (found == arrays.end()) throw std::invalid_argument(name + " is missing");
        if (found->second.shape != shape)
            throw std::invalid_argument(name + " is " + text(found->second.shape) + ", not " +
                                        text(shape));
        return found->second.data;
    }

    // A vector, made up with zeros.
    std::vector<float> vector(const std::string &name, int size) const {
        const float *data = at(name, {size});
        std::vector<float> result(aligned(size));
        std::copy(data, data + size, result.begin());
        return result;
    }

  private:
    static std::string text(const std::vector<int> &shape) {
        std::string result;
        for (int size : shape) result += (result.empty() ? "" : "x") + std::to_string(size);
        return result;
    }
};

// Element (i, j) of a matrix [k, n] by `value`, packed for one set of instructions; zeros beside
// it.
template <class Value> Matrix packed(int k, int n, const Arithmetic &math, const Value &value) {
    Matrix matrix{aligned(k), aligned(n), {}};
    matrix.values.resize(size_t(matrix.k) * matrix.n);
    float *next = matrix.values.data();
    for_each_piece(matrix.n, math.lanes, math.piece, [&](int first, int registers) {
        for (int i = 0; i < matrix.k; i++)
            for (int j = first; j < first + registers * math.lanes; j++)
                *next++ = i < k && j < n ? value(i, j) : 0.0f;
    });
    return matrix;
}

// A picture, or one with a border: [height, width, channels], channels a multiple of ALIGNED.
struct Picture {
    int height, width, channels;
    std::vector<float> pixels;

    Picture(int height, int width, int channels)
        : height(height), width(width), channels(aligned(channels)),
          pixels(size_t(height) * width * this->channels) {}
    float *row(int y) { return pixels.data() + size_t(y) * width * channels; }
    ptrdiff_t stride() const { return ptrdiff_t(width) * channels; }
};

// Shares out items to threads, or takes all itself.
struct Team {
    Threads *threads;
    int size;

    template <class Job> void each(int n, const Job &job) const {
        if (threads == nullptr) return job(0, n);
        threads->run(n, (n + size - 1) / size, job);
    }
};

// A 3x3 convolution that wraps around the edges: it reads a picture with a border.
class Convolution {
  public:
    Convolution(const Weights &weights, const std::string &name, int in, int out,
                const Arithmetic &math)
        : math_(math), bias_(weights.vector(name + ".bias", out)) {
        const float *g = weights.at(name + ".weight", {out, in, 3, 3});
        static const float G[4][3] = {{1, 0, 0}, {.5f, .5f, .5f}, {.5f, -.5f, .5f}, {0, 0, 1}};
        for (int p = 0; p < 16; p++) {
            matrices_.push_back(packed(in, out, math, [&](int i, int o) { // G g G^T
                float sum = 0;
                for (int y = 0; y < 3; y++)
                    for (int x = 0; x < 3; x++)
                        sum +=
                            G[p / 4][y] * g[((size_t(o) * in + i) * 3 + y) * 3 + x] * G[p % 4][x];
                return sum;
            }));
        }
    }

    int channels() const { return matrices_[0].k; }
    int out_channels() const { return matrices_[0].n; }

    // to = convolution(from), or that is added to it. Some rows of tiles, of 2x2 pixels each, at a
    // time: as many as the caches hold.
    void operator()(Picture &from, Picture &to, bool add, const Team &team) const {
        const int rows = to.height / 2, tiles = to.width / 2;
        const int strip = std::max(1, TILES / tiles);
        team.each((rows + strip - 1) / strip, [&](int first, int last) {
            for (int s = first; s < last; s++)
                convolve(from, to, add, s * strip, std::min(rows, (s + 1) * strip));
        });
    }

  private:
    static constexpr int TILES = 32;

    void convolve(Picture &from, Picture &to, bool add, int first, int last) const {
        const int across = to.width / 2, tiles = (last - first) * across;
        const int in = channels(), out = out_channels();
        static thread_local std::vector<float> left, right;
        left.resize(size_t(16) * tiles * in), right.resize(size_t(16) * tiles * out);
        const ptrdiff_t left_plane = ptrdiff_t(tiles) * in, right_plane = ptrdiff_t(tiles) * out;
        for (int t = 0; t < tiles; t++)
            math_.spread(from.row(2 * (first + t / across)) + 2 * (t % across) * in, from.stride(),
                         in, left.data() + t * in, left_plane);
        for (int p = 0; p < 16; p++)
            math_.multiply(left.data() + p * left_plane, in, tiles, matrices_[p], nullptr, false,
                           right.data() + p * right_plane, out);
        for (int t = 0; t < tiles; t++)
            math_.gather(right.data() + t * out, right_plane, bias_.data(), add, out,
                         to.row(2 * (first + t / across)) + 2 * (t % across) * out, to.stride());
    }

    const Arithmetic &math_;
    std::vector<Matrix> matrices_;
    std::vector<float> bias_;
};

// y = W x + b, for vectors.
class Linear {
  public:
    Linear(const Weights &weights, const std::string &name, int in, int out, const Arithmetic &math)
        : math_(math), bias_(weights.vector(name + ".bias", out)) {
        const float *w = weights.at(name + ".weight", {out, in});
        matrix_ = packed(in, out, math, [&](int i, int o) { return w[o * in + i]; });
    }

    std::vector<float> operator()(std::vector<float> x) const {
        std::vector<float> y(matrix_.n);
        x.resize(matrix_.k);
        math_.multiply(x.data(), matrix_.k, 1, matrix_, bias_.data(), false, y.data(), matrix_.n);
        return y;
    }

  private:
    const Arithmetic &math_;
    Matrix matrix_;
    std::vector<float> bias_;
};

// Normalisation and SiLU, into the middle of a picture with a border, and into the border.
class Activation {
  public:
    Activation(const Weights &weights, const std::string &name, int channels,
               const Arithmetic &math)
        : math_(math), channels_(channels), gain_(weights.vector(name + ".weight", channels)),
          none_(gain_.size()) {}

    void operator()(Picture &from, Picture &to, const Team &team) const {
        apply(from, to, gain_, none_, team);
    }

    // FiLM: gain times 1 + scale, plus shift; the condition has the scales and then the shifts.
    void operator()(Picture &from, Picture &to, const std::vector<float> &film,
                    const Team &team) const {
        std::vector<float> gain = gain_, shift = none_;
        for (int c = 0; c < channels_; c++) {
            gain[c] *= 1 + film[c];
            shift[c] = film[channels_ + c];
        }
        apply(from, to, gain, shift, team);
    }

    // Of some pixels, with no border.
    void operator()(const float *from, int pixels, float *to) const {
        math_.activate(from, pixels, int(gain_.size()), 1.0f / channels_, gain_.data(),
                       none_.data(), to);
    }

  private:
    void apply(Picture &from, Picture &to, const std::vector<float> &gain,
               const std::vector<float> &shift, const Team &team) const {
        team.each(from.height, [&](int first, int last) {
            for (int y = first; y < last; y++) {
                math_.activate(from.row(y), from.width, from.channels, 1.0f / channels_,
                               gain.data(), shift.data(), to.row(y + 1) + to.channels);
                wrap_row(to, y + 1);
            }
        });
    }

  public:
    // Writes the borders that are copies of parts of a row: left, right, and if it is the first or
    // the last the whole one beyond the other edge.
    static void wrap_row(Picture &to, int y) {
        const size_t pixel = to.channels * sizeof(float);
        float *row = to.row(y), *last = row + ptrdiff_t(to.width - 2) * to.channels;
        std::memcpy(row, last, pixel);
        std::memcpy(last + to.channels, row + to.channels, pixel);
        const int other = y == 1 ? to.height - 1 : y == to.height - 2 ? 0 : y;
        if (other != y) std::memcpy(to.row(other), row, pixel * to.width);
    }

  private:
    const Arithmetic &math_;
    int channels_;
    std::vector<float> gain_, none_;
};

// The pictures of one level that a frame needs on its way.
struct Level {
    Picture x, inner, bordered, between;

    Level(int edge, int channels)
        : x(edge, edge, channels), inner(edge, edge, channels),
          bordered(edge + 2, edge + 2, channels), between(edge + 2, edge + 2, channels) {}
};

class ResidualBlock {
  public:
    ResidualBlock(const Weights &weights, const std::string &name, int channels, int embedding,
                  const Arithmetic &math)
        : norm1_(weights, name + ".norm1", channels, math),
          norm2_(weights, name + ".norm2", channels, math),
          conv1_(weights, name + ".conv1", channels, channels, math),
          conv2_(weights, name + ".conv2", channels, channels, math),
          film_(weights, name + ".film", embedding, 2 * channels, math) {}

    void operator()(Level &level, const std::vector<float> &condition, const Team &team) const {
        // No thread writes what another may still read: each picture with a border has one writer
        // and one reader, a wait apart.
        norm1_(level.x, level.bordered, team);
        conv1_(level.bordered, level.inner, false, team);
        norm2_(level.inner, level.between, film_(condition), team);
        conv2_(level.between, level.x, true, team);
    }

  private:
    Activation norm1_, norm2_;
    Convolution conv1_, conv2_;
    Linear film_;
};

// Halves the resolution: a 2x2 convolution of stride 2.
class Down {
  public:
    Down(const Weights &weights, const std::string &name, int in, int out, const Arithmetic &math)
        : math_(math), bias_(weights.vector(name + ".bias", out)) {
        const float *w = weights.at(name + ".weight", {out, in, 2, 2});
        const int padded = aligned(in);
        for (int y = 0; y < 2; y++) // two pixels beside each other are one row of 2 * padded
            halves_[y] = packed(2 * padded, out, math, [&](int i, int o) {
                const int x = i / padded, c = i % padded;
                return c < in ? w[((size_t(o) * in + c) * 2 + y) * 2 + x] : 0.0f;
            });
    }

    void operator()(Picture &from, Picture &to, const Team &team) const {
        team.each(to.height, [&](int first, int last) {
            for (int y = first; y < last; y++)
                for (int half = 0; half < 2; half++)
                    math_.multiply(from.row(2 * y + half), 2 * from.channels, to.width,
                                   halves_[half], half ? nullptr : bias_.data(), half, to.row(y),
                                   to.channels);
        });
    }

  private:
    const Arithmetic &math_;
    Matrix halves_[2];
    std::vector<float> bias_;
};

// Doubles the resolution (a transposed 2x2 convolution of stride 2) and adds the level's own way.
class Up {
  public:
    Up(const Weights &weights, const std::string &up, const std::string &skip, int in, int out,
       const Arithmetic &math)
        : math_(math), bias_(weights.vector(skip + ".bias", out)) {
        const float *w = weights.at(up + ".weight", {in, out, 2, 2});
        const float *s = weights.at(skip + ".weight", {out, out, 1, 1});
        const int padded = aligned(out);
        for (int y = 0; y < 2; y++)
            halves_[y] = packed(in, 2 * padded, math, [&](int i, int o) {
                const int x = o / padded, c = o % padded;
                return c < out ? w[((size_t(i) * out + c) * 2 + y) * 2 + x] : 0.0f;
            });
        skip_ = packed(out, out, math, [&](int i, int o) { return s[o * out + i]; });
        const std::vector<float> b = weights.vector(up + ".bias", out);
        for (size_t c = 0; c < b.size(); c++) bias_[c] += b[c];
    }

    void operator()(Picture &from, Level &to, const Team &team) const {
        team.each(from.height, [&](int first, int last) {
            for (int y = first; y < last; y++) {
                for (int half = 0; half < 2; half++) {
                    float *row = to.inner.row(2 * y + half);
                    math_.multiply(to.x.row(2 * y + half), to.x.channels, to.x.width, skip_,
                                   bias_.data(), false, row, to.x.channels);
                    math_.multiply(from.row(y), from.channels, from.width, halves_[half], nullptr,
                                   true, row, 2 * to.x.channels);
                }
            }
        });
        std::swap(to.x.pixels, to.inner.pixels);
    }

  private:
    const Arithmetic &math_;
    Matrix halves_[2], skip_;
    std::vector<float> bias_;
};

// What a frame needs on its way through the net.
struct Workspace {
    Picture stem, out;
    std::vector<Level> levels;
};

// The sizes of a net: see mirage_wm.unet_config.UNetConfig.
struct Sizes {
    int edge, frames, extra; // of the pictures that it sees, and channels beside the frames'
    std::vector<int> widths;
    int blocks, embedding, told, kernels;

    int levels() const { return int(widths.size()); }
    int changes() const { return 3 + 9 * kernels; }
};

class UNet {
  public:
    const Sizes sizes;

    UNet(const Weights &weights, const Sizes &sizes, const Arithmetic &math)
        : sizes(checked(sizes)),
          stem_(weights, "stem", 4 * (3 * sizes.frames + sizes.extra), sizes.widths[0], math),
          out_(weights, "out", sizes.widths[0], 4 * sizes.changes(), math),
          out_norm_(weights, "out_norm", sizes.widths[0], math),
          summary_norm_(weights, "summary_norm", sizes.widths.back(), math),
          summary_first_(weights, "summary_first", 2 * sizes.widths.back(), sizes.embedding, math),
          summary_second_(weights, "summary_second", sizes.embedding, sizes.told, math) {
        const auto some = [&](const std::string &name, int level, int width) {
            std::vector<ResidualBlock> made;
            for (int i = 0; i < sizes.blocks; i++)
                made.emplace_back(weights,
                                  name + "." + std::to_string(level) + "." + std::to_string(i),
                                  width, sizes.embedding, math);
            return made;
        };
        const int levels = sizes.levels();
        for (int i = 0; i < levels; i++)
            down_blocks_.push_back(some("down_blocks", i, sizes.widths[i]));
        for (int i = 0; i + 1 < levels; i++) { // upwards from the lowest level
            const std::string number = "." + std::to_string(i);
            const int above = sizes.widths[levels - 2 - i], below = sizes.widths[levels - 1 - i];
            down_.emplace_back(weights, "down" + number, sizes.widths[i], sizes.widths[i + 1],
                               math);
            up_.emplace_back(weights, "up" + number, "skip" + number, below, above, math);
            up_blocks_.push_back(some("up_blocks", i, above));
        }
    }

    Workspace workspace() const {
        const int half = sizes.edge / 2;
        Workspace made{Picture(half + 2, half + 2, stem_.channels()),
                       Picture(half, half, out_.out_channels()),
                       {}};
        for (int i = 0; i < sizes.levels(); i++)
            made.levels.emplace_back(half >> i, sizes.widths[i]);
        return made;
    }

    // seen: uint8 [frames, edge, edge, 3], extra: float [extra, edge, edge]; picture: float [edge,
    // edge, 3]; told: float [summary].
    void operator()(const uint8_t *seen, const float *more, std::vector<float> condition,
                    float *picture, float *told, Workspace &at, const Team &team) const {
        const int levels = sizes.levels();
        for (float &x : condition) x = x / (1 + std::exp(-x));
        unshuffle(seen, more, at.stem, team);
        stem_(at.stem, at.levels[0].x, false, team);
        for (int level = 0; level < levels; level++) {
            if (level) down_[level - 1](at.levels[level - 1].x, at.levels[level].x, team);
            for (const ResidualBlock &block : down_blocks_[level])
                block(at.levels[level], condition, team);
        }
        summarise(at.levels.back().x, told);
        for (int step = 0; step + 1 < levels; step++) {
            Level &level = at.levels[levels - 2 - step];
            up_[step](at.levels[levels - 1 - step].x, level, team);
            for (const ResidualBlock &block : up_blocks_[step]) block(level, condition, team);
        }
        Level &top = at.levels[0];
        out_norm_(top.x, top.bordered, team);
        out_(top.bordered, at.out, false, team);
        change(at.out, seen, picture);
    }

  private:
    static const Sizes &checked(const Sizes &sizes) {
        if (sizes.widths.empty() || sizes.edge % (2 << sizes.levels()))
            throw std::invalid_argument("pictures with an edge of " + std::to_string(sizes.edge) +
                                        " cannot be halved " + std::to_string(sizes.levels()) +
                                        " times to an even number");
        return sizes;
    }

    // 2x2 pixels become channels: channel 4 * c + 2 * y + x, as PyTorch's pixel_unshuffle has it.
    void unshuffle(const uint8_t *seen, const float *more, Picture &to, const Team &team) const {
        const auto [edge, frames, extra] = std::tuple(sizes.edge, sizes.frames, sizes.extra);
        team.each(edge / 2, [&](int first, int last) {
            for (int y = first; y < last; y++) {
                for (int x = 0; x < edge / 2; x++) {
                    float *pixel = to.row(y + 1) + ptrdiff_t(x + 1) * to.channels;
                    for (int corner = 0; corner < 4; corner++) {
                        const size_t place = size_t(2 * y + corner / 2) * edge + 2 * x + corner % 2;
                        for (int t = 0; t < frames; t++)
                            for (int c = 0; c < 3; c++)
                                pixel[4 * (3 * t + c) + corner] =
                                    seen[(size_t(t) * edge * edge + place) * 3 + c] / 255.0f;
                        for (int c = 0; c < extra; c++)
                            pixel[4 * (3 * frames + c) + corner] =
                                more[size_t(c) * edge * edge + place];
                    }
                }
                Activation::wrap_row(to, y + 1);
            }
        });
    }

    // The change of the last frame, as mirage_wm.unet.change has it: the colours that are added,
    // and shares of the differences between a pixel and those around it, now and before.
    void change(Picture &from, const uint8_t *seen, float *picture) const {
        const int edge = sizes.edge, kernels = sizes.kernels;
        const size_t frame = size_t(edge) * edge * 3;
        const uint8_t *last = seen + (sizes.frames - 1) * frame;
        for (int y = 0; y < edge; y++) {
            const int rows[3] = {y ? y - 1 : edge - 1, y, y + 1 < edge ? y + 1 : 0};
            for (int x = 0; x < edge; x++, picture += 3) {
                const int columns[3] = {x ? x - 1 : edge - 1, x, x + 1 < edge ? x + 1 : 0};
                // Channel 4 * c + 2 * y + x, as PyTorch's pixel_shuffle has it.
                const float *told = from.row(y / 2) + x / 2 * from.channels + y % 2 * 2 + x % 2;
                const uint8_t *pixel = last + (size_t(y) * edge + x) * 3;
                for (int c = 0; c < 3; c++) picture[c] = told[4 * c];
                for (int place = 0; kernels && place < 9; place++) {
                    const size_t around = size_t(rows[place / 3]) * edge + columns[place % 3];
                    for (int k = 0; k < kernels; k++) {
                        const uint8_t *other =
                            seen + (sizes.frames - kernels + k) * frame + 3 * around;
                        const float weight = told[4 * (3 + place * kernels + k)] / 255.0f;
                        for (int c = 0; c < 3; c++) picture[c] += weight * (other[c] - pixel[c]);
                    }
                }
            }
        }
    }

    // Means and maxima over the pixels know no place.
    void summarise(Picture &lowest, float *told) const {
        const int pixels = lowest.height * lowest.width, channels = sizes.widths.back();
        std::vector<float> active(lowest.pixels.size()), pooled(2 * channels);
        summary_norm_(lowest.pixels.data(), pixels, active.data());
        for (int c = 0; c < channels; c++) {
            float sum = 0, most = active[c];
            for (int i = 0; i < pixels; i++) {
                const float x = active[size_t(i) * lowest.channels + c];
                sum += x, most = std::max(most, x);
            }
            pooled[c] = sum / pixels, pooled[channels + c] = most;
        }
        std::vector<float> hidden = summary_first_(pooled);
        for (float &x : hidden) x = x / (1 + std::exp(-x));
        const std::vector<float> result = summary_second_(hidden);
        std::copy(result.begin(), result.begin() + sizes.told, told);
    }

    Convolution stem_, out_;
    Activation out_norm_, summary_norm_;
    Linear summary_first_, summary_second_;
    std::vector<std::vector<ResidualBlock>> down_blocks_, up_blocks_;
    std::vector<Down> down_;
    std::vector<Up> up_;
};
