// The CUDA driver: a warp for each arena, a lane for each object. It holds no rule: those are in
// the *.cuh files. Compile with -fmad=false: then the pictures are the same bytes as on the host.
#include "hash.cuh"
#include "pixels.cuh"

constexpr int WARPS = 4;       // arenas in a block
constexpr int STRIP_ROWS = 16; // rows of a picture that a warp draws at a time in shared memory
constexpr int SIZE = 64;       // of the pictures that are drawn in the same launch as the step

struct Scratch { // what a warp keeps in shared memory
    Arena arena;
    Sprite list[MAX_SPRITES];
    uint32_t strip[STRIP_ROWS * SIZE * 3 / 4];
};

HD Paint paint(const Sprite &s, float dx, float dy) {
    switch (s.shape) {
    case Shape::OCTAGON: return octagon(s, dx, dy);
    case Shape::DART: return dart(s, dx, dy);
    default: return ring(s, dx, dy);
    }
}

HD int wrapped(int i, int size) { return i < 0 ? i + size : i >= size ? i - size : i; }

HD void load(const Arena &from, Arena &to, Warp warp) {
    const uint32_t *source = reinterpret_cast<const uint32_t *>(&from);
    uint32_t *target = reinterpret_cast<uint32_t *>(&to);
    for (int i = warp.lane; i < ARENA_WORDS; i += 32) target[i] = source[i];
    __syncwarp();
}

// Draws rows [top, top + STRIP_ROWS) of the picture into `strip`, which is black.
HD void draw_strip(const Sprite *list, int n, int top, const View &view, uint8_t *strip,
                   Warp warp) {
    for (int k = 0; k < n; k++) {
        const Sprite &s = list[k];
        for (int p = warp.lane; p < s.width * s.width; p += 32) {
            const int ky = p / s.width, kx = p - ky * s.width;
            const int row = wrapped(s.first_y + ky, view.size) - top;
            if (row < 0 || row >= STRIP_ROWS) continue;
            const Paint seen = paint(s, (s.offset_x + float(kx)) * view.pitch,
                                     (s.offset_y + float(ky)) * view.pitch);
            uint8_t *pixel = strip + 3 * (row * view.size + wrapped(s.first_x + kx, view.size));
            const int opaque = opacity(seen.coverage, s.alpha);
            for (int c = 0; c < 3; c++) pixel[c] = blend(pixel[c], s.colour[c], opaque, seen.shade);
        }
        __syncwarp(); // sprites overlap: one after another
    }
}

HD void draw_picture(Scratch &scratch, const Core &core, const Tuning &tuning, uint8_t *image,
                     Warp warp) {
    const View view = view_of(SIZE);
    const int n = sprites(scratch.arena.objects, core, tuning, view, scratch.list, warp);
    uint32_t *out = reinterpret_cast<uint32_t *>(image);
    constexpr int WORDS = STRIP_ROWS * SIZE * 3 / 4;
    for (int top = 0; top < SIZE; top += STRIP_ROWS, out += WORDS) {
        for (int i = warp.lane; i < WORDS; i += 32) scratch.strip[i] = 0;
        __syncwarp();
        draw_strip(scratch.list, n, top, view, reinterpret_cast<uint8_t *>(scratch.strip), warp);
        for (int i = warp.lane; i < WORDS; i += 32) out[i] = scratch.strip[i];
        __syncwarp();
    }
}

// Steps every arena by its action, autoreset included, and draws it where `frames` is given.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
    step_arenas(Pace pace, Arena *arenas, Arena *final_arenas, const Tuning *tuning,
                const int32_t *actions, int32_t *reward, bool *terminated, bool *truncated,
                bool *begun, uint8_t *frames, int num_envs) {
    __shared__ Scratch scratches[WARPS];
    const Warp warp = {int(threadIdx.x) & 31};
    const int i = int(blockIdx.x) * WARPS + int(threadIdx.x) / 32;
    if (i >= num_envs) return;
    Scratch &scratch = scratches[threadIdx.x / 32];
    load(arenas[i], scratch.arena, warp);
    Core core = scratch.arena.core; // the same in every lane
    const Tuning rules = tuning[i];
    const Outcome outcome = step(scratch.arena.objects, core, rules, pace, actions[i], warp, [&] {
        warp.once([&] { scratch.arena.core = core; });
        load(scratch.arena, final_arenas[i], warp);
    });
    warp.once([&] {
        scratch.arena.core = core;
        reward[i] = outcome.points;
        terminated[i] = outcome.terminated, truncated[i] = outcome.truncated,
        begun[i] = outcome.begun;
    });
    load(scratch.arena, arenas[i], warp);
    if (frames != nullptr)
        draw_picture(scratch, core, rules, frames + size_t(3) * SIZE * SIZE * i, warp);
}

// Begins an episode in every arena of `mask` (in all of them without one), of new seeds where they
// are given.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
    reset_arenas(Arena *arenas, const Tuning *tuning, const uint64_t *seeds, const bool *mask,
                 bool *begun, int num_envs) {
    __shared__ Arena scratch[WARPS];
    const Warp warp = {int(threadIdx.x) & 31};
    const int i = int(blockIdx.x) * WARPS + int(threadIdx.x) / 32;
    if (i >= num_envs) return;
    const bool chosen = mask == nullptr || mask[i];
    if (warp.lane == 0) begun[i] = chosen;
    if (!chosen) return;
    Arena &arena = scratch[threadIdx.x / 32];
    load(arenas[i], arena, warp);
    Core core = arena.core;
    core.episode = seeds ? 0 : core.episode + 1;
    if (seeds) core.seed = seeds[i];
    begin(arena.objects, core, tuning[i], warp);
    warp.once([&] { arena.core = core; });
    load(arena, arenas[i], warp);
}

// A hash of each arena's state.
extern "C" __global__ void hash_arenas(const Arena *arenas, uint64_t *hashes, int num_envs) {
    const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < num_envs) hashes[i] = state_hash(reinterpret_cast<const uint32_t *>(&arenas[i]));
}
