// The CUDA driver: a warp for each arena, a lane for each object. It holds no rule: those are in
// the *.cuh files. Compile with -fmad=false: then the pictures are the same bytes as on the host.
#include "hash.cuh"
#include "strips.h"
#include "vectors.h"
#include <cstddef>
#include <cstring>

constexpr int WARPS = 4; // in a block

// Which warp of its block this is: lane k votes for bit k of it. Each lane could tell by itself,
// but so the compiler knows that they agree on it, on what is read by it, and on each branch that
// follows from that: it keeps such numbers once for all, and no code for lanes that part.
HD uint32_t warp_of_block(Warp warp) {
    return __ballot_sync(0xffffffffu, threadIdx.x / 32 >> warp.lane & 1);
}

// The arena of a warp of this block, where each arena has a warp of its own.
HD uint32_t arena_of(uint32_t warp_of_block) { return blockIdx.x * WARPS + warp_of_block; }

// A batch of arenas and what their next steps are to write; T steps of N arenas.
struct Batch {
    Arena *arenas, *final_arenas; // [N]
    const Tuning *tuning;         // [N]
    const void *actions;          // int32 or int64 [T, N]
    float *reward;                // [T, N]
    uint8_t *flags;               // [T, 3, N]: terminated, truncated, begun
    int4 *infos;                  // [T, N]: score, lives, wave, tick
    uint8_t *frames;              // [T, N, SIZE, SIZE, CHANNELS], or null
    float *vectors;               // [T, N, VECTOR], or null
    const float *cosines;         // [2, 256]: cosines and sines of 1/256 turns
    uint32_t *refused;            // how many actions were none, ever
    Pace pace;
    int num_envs, steps, action_bytes; // bytes of an action: 4 or 8
};

// The action of arena i at step t. What is no action is none: 0, and counted.
HD int action_of(const Batch &b, size_t at, bool counts, Warp warp) {
    const auto *words = reinterpret_cast<const uint32_t *>(static_cast<const char *>(b.actions) +
                                                           at * uint32_t(b.action_bytes));
    const uint32_t given = words[0], upper = b.action_bytes == 8 ? words[1] : 0;
    if (given < 12 && upper == 0) return int(given);  // unsigned: a negative one is too large
    if (counts) atomicAdd(b.refused, warp.lane == 0); // by all lanes: no branch that parts them
    return 0;
}

// Rocks and bullets stand side by side in a record, so that lane i finds its object at place i. A
// bullet's lane reads what follows the angles and spins, without a question: it uses neither.
HD LaneObject load(const Arena &arena, Warp warp) {
    const int i = warp.lane;
    const Objects &o = arena.objects;
    const auto *bytes = reinterpret_cast<const uint8_t *>(&arena) + i;
    return {o.rock_x[i],
            o.rock_y[i],
            o.rock_vx[i],
            o.rock_vy[i],
            bytes[offsetof(Objects, rock_size)],
            bytes[offsetof(Objects, rock_angle)],
            int8_t(bytes[offsetof(Objects, rock_spin)])};
}

// What has not changed need not be written: `was` is what stands there. Places change where
// something is, and an empty slot is zero. Bytes are not asked: those beside them change.
HD void store(const LaneObject &now, const LaneObject &was, Objects &o, Warp warp) {
    const int i = warp.lane;
    if ((now.size | was.size) != 0) o.rock_x[i] = now.x, o.rock_y[i] = now.y;
    if (now.vx != was.vx) o.rock_vx[i] = now.vx;
    if (now.vy != was.vy) o.rock_vy[i] = now.vy;
    o.rock_size[i] = uint8_t(now.size);
    if (i < ROCK_SLOTS) { o.rock_angle[i] = uint8_t(now.angle), o.rock_spin[i] = int8_t(now.spin); }
}

constexpr int CORE_CHUNKS = sizeof(Core) / 16;
static_assert(sizeof(Core) % 16 == 0 && sizeof(Objects) % 16 == 0, "a core is read in chunks");

HD Core load(const Core &from) {
    uint4 chunks[CORE_CHUNKS];
    for (int k = 0; k < CORE_CHUNKS; k++) { chunks[k] = reinterpret_cast<const uint4 *>(&from)[k]; }
    Core core;
    memcpy(&core, chunks, sizeof core);
    return core;
}

HD Tuning load(const Tuning &from) {
    uint2 chunks[3];
    for (int k = 0; k < 3; k++) { chunks[k] = reinterpret_cast<const uint2 *>(&from)[k]; }
    Tuning tuning;
    memcpy(&tuning, chunks, sizeof tuning);
    return tuning;
}
static_assert(sizeof(Tuning) == 24, "a tuning is read in chunks");

HD void store(const Core &now, Core &to) {
    union {
        Core core;
        uint4 chunks[CORE_CHUNKS];
    } written = {now};
    for (int k = 0; k < CORE_CHUNKS; k++) { reinterpret_cast<uint4 *>(&to)[k] = written.chunks[k]; }
}

HD void store(const LaneObject &object, const Core &core, Arena &to, Warp warp) {
    const LaneObject other = {0, 0, ~object.vx, ~object.vy, 1};
    store(object, other, to.objects, warp);
    if (warp.lane == 0) store(core, to.core);
}

HD int4 infos_of(const Core &core) {
    return {int(core.score), int(core.lives), int(core.wave), int(core.tick)};
}

enum class See { NOTHING, VECTORS, PICTURES };

// Steps arenas and shows them. PARTS warps share the pictures of an arena: each of them steps it,
// which costs less than to wait for one, and the first writes what came of it.
template <int PARTS, bool MANY, See see> HD void run(const Batch &b) {
    __shared__ Scratch scratches[see == See::PICTURES ? WARPS : 1];
    const Warp warp = {int(threadIdx.x) & 31};
    const uint32_t n = uint32_t(b.num_envs), w = warp_of_block(warp); // unsigned: short addresses
    const uint32_t i = PARTS == 1 ? arena_of(w) : blockIdx.x;
    const int part = PARTS == 1 ? 0 : int(w);
    if (i >= n) return;

    Arena &home = b.arenas[i];
    const LaneObject before = load(home, warp);
    LaneObject object = before;
    Core core = load(home.core); // the same in every lane
    const Tuning tuning = load(b.tuning[i]);
    if (PARTS > 1) __syncthreads(); // All have read it before one writes it back.

    for (int t = 0; t < (MANY ? b.steps : 1); t++) {
        const size_t at = size_t(n) * t + i;
        const int action = action_of(b, at, part == 0, warp);
        const Outcome outcome = step(object, core, tuning, b.pace, action, warp, [&] {
            if (part == 0) store(object, core, b.final_arenas[i], warp);
        });
        if (part == 0 && !MANY) store(object, before, home.objects, warp);
        if (part == 0 && warp.lane < 3) { // a lane for each flag
            const uint32_t mine = warp.lane * n + i;
            b.flags[3 * size_t(n) * t + mine] = uint8_t(outcome.flags >> warp.lane & 1);
            if (warp.lane == 0) {
                if (!MANY) store(core, home.core);
                b.reward[at] = float(outcome.points);
                b.infos[at] = infos_of(core);
            }
        }
        if (see == See::VECTORS) {
            write_vector(object, core, b.cosines, b.vectors + VECTOR * at, warp);
        }
        if (see == See::PICTURES) {
            uint8_t *image = b.frames + size_t(FRAME_BYTES) * at;
            draw_picture(scratches[w], object, core, tuning, image, part, PARTS, warp);
        }
    }
    if (part == 0 && MANY) store(object, core, home, warp);
}

// Nine blocks on a multiprocessor leave a thread 56 registers: more blocks were slower. The rules
// alone take no more than 56 when 64 are offered, and then fewer instructions.
#define KERNEL_OF(blocks) extern "C" __global__ void __launch_bounds__(32 * WARPS, blocks)
#define KERNEL KERNEL_OF(9)
#define RULES_ALONE KERNEL_OF(8)

KERNEL step_drawing(Batch b) { run<1, false, See::PICTURES>(b); }
KERNEL step_drawing_shared(Batch b) { run<WARPS, false, See::PICTURES>(b); }
KERNEL steps_drawing(Batch b) { run<1, true, See::PICTURES>(b); }
KERNEL steps_drawing_shared(Batch b) { run<WARPS, true, See::PICTURES>(b); }
KERNEL step_vectors(Batch b) { run<1, false, See::VECTORS>(b); }
KERNEL steps_vectors(Batch b) { run<1, true, See::VECTORS>(b); }
RULES_ALONE step_unseen(Batch b) { run<1, false, See::NOTHING>(b); }
RULES_ALONE steps_unseen(Batch b) { run<1, true, See::NOTHING>(b); }

// Shows the arenas as they are, without a step: those of `which` [N] (of all without it). In
// pictures or in vectors, [N, ...]; what is shown of the others is left as it was.
struct Shown {
    const Arena *arenas;
    const Tuning *tuning;
    const bool *which, *or_which;
    uint8_t *frames;
    float *vectors;
    const float *cosines;
    int num_envs;
};

KERNEL show_arenas(Shown s) {
    __shared__ Scratch scratches[WARPS];
    const Warp warp = {int(threadIdx.x) & 31};
    const uint32_t w = warp_of_block(warp);
    const int first = 32 * int(blockIdx.x * WARPS + w), mine = first + warp.lane;
    Scratch &scratch = scratches[w];
    const bool wanted = mine < s.num_envs && (s.which == nullptr || s.which[mine] ||
                                              (s.or_which != nullptr && s.or_which[mine]));
    uint32_t bits = __ballot_sync(0xffffffffu, wanted);
    for (; bits != 0; bits &= bits - 1) {
        const size_t i = size_t(first + lowest(bits));
        const LaneObject object = load(s.arenas[i], warp);
        const Core core = load(s.arenas[i].core);
        if (s.vectors != nullptr) {
            write_vector(object, core, s.cosines, s.vectors + VECTOR * i, warp);
        } else {
            uint8_t *image = s.frames + FRAME_BYTES * i;
            draw_picture(scratch, object, core, s.tuning[i], image, 0, 1, warp);
        }
    }
}

// Draws pictures of any size: a block draws a part of one, each thread looks what its pixel sees.
struct Pictures {
    const Arena *arenas;
    const Tuning *tuning;
    const int64_t *indices; // [n], or null for all
    uint8_t *images;        // [n, size, size, channels]
    int size, channels;
};

HD int wrapped(int i, int size) { return i < 0 ? i + size : i; }

HD Paint paint_any(const Sprite &s, float dx, float dy) {
    return is_octagon(s.kind()) ? octagon(s, dx, dy)
           : is_dart(s.kind())  ? dart(s, dx, dy)
                                : ring(s, dx, dy);
}

KERNEL draw_arenas(Pictures p) {
    __shared__ Sprite list[MAX_SPRITES];
    __shared__ int count_of_sprites;
    const Warp warp = {int(threadIdx.x) & 31};
    const View view = view_of(p.size);
    const size_t i = p.indices != nullptr ? size_t(p.indices[blockIdx.x]) : blockIdx.x;
    if (threadIdx.x < 32) {
        const LaneObject object = load(p.arenas[i], warp);
        const int n = sprites(object, load(p.arenas[i].core), p.tuning[i], view, list, warp);
        if (warp.lane == 0) count_of_sprites = n;
    }
    __syncthreads();
    const int n = count_of_sprites, pixels = p.size * p.size;
    uint8_t *image = p.images + size_t(pixels) * p.channels * blockIdx.x;
    for (int at = blockIdx.y * blockDim.x + threadIdx.x; at < pixels;
         at += gridDim.y * blockDim.x) {
        const int y = at / p.size, x = at - y * p.size;
        uint8_t seen[3] = {0, 0, 0};
        for (int k = 0; k < n; k++) {
            const Sprite &s = list[k];
            const int kx = wrapped(x - s.first_x, p.size), ky = wrapped(y - s.first_y, p.size);
            if (kx >= s.width || ky >= s.width) continue;
            const Paint paint = paint_any(s, (s.offset_x + float(kx)) * view.pitch,
                                          (s.offset_y + float(ky)) * view.pitch);
            const int opaque = opacity(paint.coverage, s.alpha);
            for (int c = 0; c < 3; c++) seen[c] = blend(seen[c], s.channel(c), opaque, paint.shade);
        }
        if (p.channels == 1) {
            image[at] = grey(seen[0], seen[1], seen[2]);
        } else {
            for (int c = 0; c < 3; c++) image[3 * size_t(at) + c] = seen[c];
        }
    }
}

// Begins an episode in every arena of `mask` (in all of them without one), of new seeds where they
// are given.
struct Beginning {
    Arena *arenas;
    const Tuning *tuning;
    const uint64_t *seeds;
    const bool *mask;
    int num_envs;
};

KERNEL reset_arenas(Beginning b) {
    const Warp warp = {int(threadIdx.x) & 31};
    const int i = int(arena_of(warp_of_block(warp)));
    if (i >= b.num_envs || (b.mask != nullptr && !b.mask[i])) return;
    LaneObject object = {};
    Core core = load(b.arenas[i].core);
    core.episode = b.seeds ? 0 : core.episode + 1;
    if (b.seeds) core.seed = b.seeds[i];
    begin(object, core, b.tuning[i], warp);
    store(object, core, b.arenas[i], warp);
}

// Infos of arenas as they are, [N].
KERNEL inform(const Arena *arenas, int4 *infos, int num_envs) {
    const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < num_envs) infos[i] = infos_of(arenas[i].core);
}

// A hash of each arena's state.
KERNEL hash_arenas(const Arena *arenas, uint64_t *hashes, int num_envs) {
    const Warp warp = {int(threadIdx.x) & 31};
    const int i = int(arena_of(warp_of_block(warp)));
    if (i >= num_envs) return;
    const uint32_t *words = reinterpret_cast<const uint32_t *>(&arenas[i]);
    uint64_t sum = 0;
    for (int k = warp.lane; k < ARENA_WORDS; k += 32) sum += hash_word(k, words[k]);
    for (int half = 16; half > 0; half /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, half);
    if (warp.lane == 0) hashes[i] = sum;
}

// Stacks the last `depth` observations of each arena, the oldest first. A block for each arena;
// observations are `length` 16-byte chunks or bytes.
struct Stacking {
    void *ring;        // [depth, N, length]; layer `newest` holds the newest
    const bool *begun; // [N] or null: where an episode began, its first stands for those before
    const void *last;  // [N, length], or null: stands for the newest, and the ring stays as it is
    const bool *ended; // [N] or null: only these are stacked
    void *out;         // [N, depth, length]
    int depth, newest, length, num_envs;
};

template <class T> HD void stack(const Stacking &s) {
    const size_t i = blockIdx.x, n = size_t(s.num_envs), length = size_t(s.length);
    if (s.ended != nullptr && !s.ended[i]) return;
    const bool begun = s.begun != nullptr && s.begun[i];
    T *ring = static_cast<T *>(s.ring) + length * i;
    T *out = static_cast<T *>(s.out) + length * s.depth * i;
    for (size_t k = threadIdx.x; k < length; k += blockDim.x) {
        const T newest = s.last != nullptr ? static_cast<const T *>(s.last)[length * i + k]
                                           : ring[length * n * s.newest + k];
        for (int d = 0; d < s.depth; d++) {
            T *layer = ring + length * n * ((s.newest + 1 + d) % s.depth) + k;
            if (begun) *layer = newest;
            out[length * d + k] = d + 1 < s.depth ? *layer : newest;
        }
    }
}

KERNEL stack_chunks(Stacking s) { stack<uint4>(s); }
KERNEL stack_bytes(Stacking s) { stack<uint8_t>(s); }
