// A number for a state: the sum of a hash of each word, so that it can be taken in any order.
#pragma once
#include "arena.cuh"

HD uint64_t hash_word(int i, uint32_t word) {
    uint64_t z = (uint64_t(i) << 32 | word) + 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

HD uint64_t state_hash(const uint32_t *words) { // the words of one Arena
    uint64_t sum = 0;
    for (int i = 0; i < ARENA_WORDS; i++) sum += hash_word(i, words[i]);
    return sum;
}
