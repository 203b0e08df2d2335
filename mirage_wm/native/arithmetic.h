// The arithmetic of the net, for one set of instructions. Included once for each set, inside a
// namespace that says how wide its registers are; the functions of all are in a table each.
//
// Pictures lie in memory pixel by pixel, each with all its channels: a register holds LANES
// channels of a pixel. Numbers of channels are made up to a multiple of `ALIGNED` with zeros.

typedef float Lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t Bits __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

inline Lanes load(const float *from) { return *reinterpret_cast<const Lanes *>(from); }
inline void store(float *to, Lanes x) { *reinterpret_cast<Lanes *>(to) = x; }
inline Lanes all(float x) { return x - Lanes{}; }

// A product of matrices is made of tiles of ROWS rows and up to PIECE registers of columns, whose
// sums stay in registers.
template <int rows, int piece>
inline void tile(const float *x, ptrdiff_t x_stride, int k, const float *w, const float *bias,
                 bool add, float *y, ptrdiff_t y_stride) {
    Lanes sum[rows][piece];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int p = 0; p < piece; p++) {
            sum[r][p] = bias ? load(bias + p * LANES) : Lanes{};
            if (add) sum[r][p] += load(y + r * y_stride + p * LANES);
        }
    }
    for (int i = 0; i < k; i++, w += piece * LANES) {
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
            for (int p = 0; p < piece; p++) sum[r][p] += x[r * x_stride + i] * load(w + p * LANES);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int p = 0; p < piece; p++) store(y + r * y_stride + p * LANES, sum[r][p]);
    }
}

template <int piece>
inline void columns(const float *x, ptrdiff_t x_stride, int m, int k, const float *w,
                    const float *bias, bool add, float *y, ptrdiff_t y_stride) {
    int r = 0;
    for (; r + ROWS <= m; r += ROWS)
        tile<ROWS, piece>(x + r * x_stride, x_stride, k, w, bias, add, y + r * y_stride, y_stride);
    for (; r < m; r++)
        tile<1, piece>(x + r * x_stride, x_stride, k, w, bias, add, y + r * y_stride, y_stride);
}

// y [m, n] = x [m, k] w, plus a bias [n] if there is one, plus what y was if `add`.
void multiply(const float *x, ptrdiff_t x_stride, int m, const Matrix &w, const float *bias,
              bool add, float *y, ptrdiff_t y_stride) {
    const float *packed = w.values.data();
    for_each_piece(w.n, LANES, PIECE, [&](int column, int piece) {
        const float *b = bias ? bias + column : nullptr;
        float *to = y + column;
        switch (piece) {
        case 1: columns<1>(x, x_stride, m, w.k, packed, b, add, to, y_stride); break;
        case 2: columns<2>(x, x_stride, m, w.k, packed, b, add, to, y_stride); break;
        default: columns<3>(x, x_stride, m, w.k, packed, b, add, to, y_stride);
        }
        packed += ptrdiff_t(w.k) * piece * LANES;
    });
}

// B^T d B of Winograd's F(2x2, 3x3): 4x4 pixels of one channel to their 16 products' left sides.
void spread(const float *pixels, ptrdiff_t row, int channels, float *to, ptrdiff_t plane) {
    for (int c = 0; c < channels; c += LANES) {
        Lanes t[4][4];
#pragma GCC unroll 4
        for (int x = 0; x < 4; x++) {
            const float *d = pixels + x * channels + c;
            const Lanes d0 = load(d), d1 = load(d + row), d2 = load(d + 2 * row),
                        d3 = load(d + 3 * row);
            t[0][x] = d0 - d2, t[1][x] = d1 + d2, t[2][x] = d2 - d1, t[3][x] = d1 - d3;
        }
#pragma GCC unroll 4
        for (int y = 0; y < 4; y++) {
            float *out = to + 4 * y * plane + c;
            store(out, t[y][0] - t[y][2]);
            store(out + plane, t[y][1] + t[y][2]);
            store(out + 2 * plane, t[y][2] - t[y][1]);
            store(out + 3 * plane, t[y][1] - t[y][3]);
        }
    }
}

// A^T m A: 16 products of one channel to 2x2 pixels, plus the bias, plus what they were if `add`.
void gather(const float *from, ptrdiff_t plane, const float *bias, bool add, int channels,
            float *pixels, ptrdiff_t row) {
    for (int c = 0; c < channels; c += LANES) {
        Lanes t[2][4];
#pragma GCC unroll 4
        for (int x = 0; x < 4; x++) {
            const float *m = from + x * plane + c;
            const Lanes m0 = load(m), m1 = load(m + 4 * plane), m2 = load(m + 8 * plane),
                        m3 = load(m + 12 * plane);
            t[0][x] = m0 + m1 + m2, t[1][x] = m1 - m2 - m3;
        }
        const Lanes b = load(bias + c);
#pragma GCC unroll 2
        for (int y = 0; y < 2; y++) {
            float *out = pixels + y * row + c;
            Lanes left = b + t[y][0] + t[y][1] + t[y][2], right = b + t[y][1] - t[y][2] - t[y][3];
            if (add) left += load(out), right += load(out + channels);
            store(out, left), store(out + channels, right);
        }
    }
}

// e^x within 2 units of the last place, for |x| < 87.
inline Lanes exponential(Lanes x) {
    const Lanes high = all(87.0f), low = all(-87.0f);
    x = x > high ? high : x < low ? low : x;
    const Lanes shift = all(12582912.0f); // 1.5 * 2^23: adding it rounds to a whole number
    const Lanes rounded = x * 1.44269504f + shift, n = rounded - shift;
    const Lanes f = x - n * 0.693145752f - n * 1.42860677e-6f; // ln 2 in two parts
    Lanes p = f * 1.98756915e-4f + 1.39819995e-3f;
    p = p * f + 8.33345205e-3f;
    p = p * f + 4.16657962e-2f;
    p = p * f + 1.66666657e-1f;
    p = p * f + 0.5f;
    p = p * f * f + f + 1.0f;
    const Bits power = (__builtin_convertvector(n, Bits) + 127) << 23;
    return p * reinterpret_cast<const Lanes &>(power);
}

inline Lanes silu(Lanes x) { return x / (1.0f + exponential(-x)); }

// RMS normalisation of each pixel (PixelNorm), times a gain, plus a shift, then SiLU.
void activate(const float *x, int pixels, int channels, float share, const float *gain,
              const float *shift, float *y) {
    for (int i = 0; i < pixels; i++, x += channels, y += channels) {
        Lanes squares{};
        for (int c = 0; c < channels; c += LANES) squares += load(x + c) * load(x + c);
        float sum = 0;
        for (int lane = 0; lane < LANES; lane++) sum += squares[lane];
        const float scale = 1.0f / __builtin_sqrtf(sum * share + 1e-6f);
        for (int c = 0; c < channels; c += LANES)
            store(y + c, silu(load(x + c) * scale * load(gain + c) + load(shift + c)));
    }
}

constexpr Arithmetic ARITHMETIC = {LANES, PIECE, multiply, spread, gather, activate};
