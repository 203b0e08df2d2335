// Draws arenas by cuda/strips.h, the GPU's way of drawing, lane after lane on the CPU: reads
// records of an Arena and its Tuning from standard input, writes pictures to standard output.
#include <cstdint>
#include <cstdio>
#include <vector>

struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};
template <class T> void __stcs(T *to, T value) { *to = value; }

#include "strips.h"

int main() {
    static Scratch scratch;
    Arena arena;
    Tuning tuning;
    std::vector<uint8_t> image(FRAME_BYTES + 16);
    while (std::fread(&arena, sizeof(Arena), 1, stdin) == 1 &&
           std::fread(&tuning, sizeof(Tuning), 1, stdin) == 1) {
        for (const int parts : {1, 4}) {
            for (auto &byte : image) byte = 0xA5;
            for (int part = 0; part < parts; part++) {
                draw_picture(scratch, arena.objects, arena.core, tuning, image.data(), part, parts,
                             Serial{});
            }
            std::fwrite(image.data(), 1, image.size(), stdout);
        }
    }
}
