// The lanes that run an arena: lane i works on rock i, or on bullet i.
#pragma once
#include "arena.cuh"

// The rules are written over lanes. A driver passes one of two kinds, each with objects of its own,
// and a rule does not know which:
//   each(n, f)          f(i) for every i < n, whatever the order; n is at most 32
//   where(n, f)         the set of i < n for which f(i) holds, as bits
//   rocks(f)            f(i) for every slot of a rock, in which get_rock and put_rock reach rock i
//   rocks_and_more(f)   the same where f may be called in vain: a lane without a rock calls it too
//   rocks_where(f)      the set of slots for which f(i) holds, as bits
//   rock(objects, i)    the rock of any one slot, the same for all lanes
//   set_rock(...)       puts a rock in any one slot
//   bullets(f) ...      the same for bullets
//   bullet_places(objects, which, f)  f(i, x, y) with the place of bullet i, the same for all
//                       lanes, for every i of the set `which`, and in vain for some others
//   PerRock             a number for each slot of a rock, 0 at first; there [i] is that of rock i
//   all(objects, f, g)  makes the rock of each slot f(rock), and the bullet of each slot g(bullet)
//   objects(which, rock, bullet, f)  f(i, rock(i)) or f(i, bullet(i - ROCK_SLOTS)) for every i of
//                       the set `which` of rocks' slots and, above them, bullets' slots
// After each() what it wrote can be read by all.

HD Rock get_rock(const Objects &o, int i) {
    return {o.rock_x[i],    o.rock_y[i],     o.rock_vx[i],  o.rock_vy[i],
            o.rock_size[i], o.rock_angle[i], o.rock_spin[i]};
}

HD void put_rock(Objects &o, int i, const Rock &rock) {
    o.rock_x[i] = rock.x, o.rock_y[i] = rock.y;
    o.rock_vx[i] = rock.vx, o.rock_vy[i] = rock.vy;
    o.rock_size[i] = uint8_t(rock.size), o.rock_angle[i] = uint8_t(rock.angle);
    o.rock_spin[i] = int8_t(rock.spin);
}

HD Bullet get_bullet(const Objects &o, int i) {
    return {o.bullet_x[i], o.bullet_y[i], o.bullet_vx[i], o.bullet_vy[i], o.bullet_life[i]};
}

HD void put_bullet(Objects &o, int i, const Bullet &bullet) {
    o.bullet_x[i] = bullet.x, o.bullet_y[i] = bullet.y;
    o.bullet_vx[i] = bullet.vx, o.bullet_vy[i] = bullet.vy;
    o.bullet_life[i] = uint8_t(bullet.life);
}

struct Serial { // one thread is all the lanes; the objects are those of the record
    typedef ::Objects Objects;
    struct PerRock {
        int of[ROCK_SLOTS] = {};
        HD int &operator[](int i) { return of[i]; }
    };

    template <class F> HD void each(int n, F f) const {
        for (int i = 0; i < n; i++) f(i);
    }
    template <class F> HD uint32_t where(int n, F f) const {
        uint32_t bits = 0;
        for (int i = 0; i < n; i++) bits |= uint32_t(bool(f(i))) << i;
        return bits;
    }
    template <class F> HD void rocks(F f) const { each(ROCK_SLOTS, f); }
    template <class F> HD void rocks_and_more(F f) const { rocks(f); }
    template <class F> HD void bullets(F f) const { each(BULLET_SLOTS, f); }
    template <class F> HD uint32_t rocks_where(F f) const { return where(ROCK_SLOTS, f); }
    template <class F> HD uint32_t bullets_where(F f) const { return where(BULLET_SLOTS, f); }
    template <class F, class G> HD void all(Objects &o, F f, G g) const {
        rocks([&](int i) { put_rock(o, i, f(get_rock(o, i))); });
        bullets([&](int i) { put_bullet(o, i, g(get_bullet(o, i))); });
    }
    template <class F> HD void bullet_places(const Objects &o, uint32_t which, F f) const {
        for (; which != 0; which &= which - 1) {
            const int i = lowest(which);
            f(i, o.bullet_x[i], o.bullet_y[i]);
        }
    }
    template <class R, class B, class F>
    HD void objects(uint32_t which, R rock, B bullet, F f) const {
        for (; which != 0; which &= which - 1) {
            const int i = lowest(which);
            f(i, i < ROCK_SLOTS ? rock(i) : bullet(i - ROCK_SLOTS));
        }
    }
    HD Rock rock(const Objects &o, int i) const { return get_rock(o, i); }
    HD Bullet bullet(const Objects &o, int i) const { return get_bullet(o, i); }
    HD void set_rock(Objects &o, int i, const Rock &rock) const { put_rock(o, i, rock); }
    HD void set_bullet(Objects &o, int i, const Bullet &bullet) const { put_bullet(o, i, bullet); }
};

#ifdef __CUDACC__
struct LaneObject { // the rock of a lane below ROCK_SLOTS, the bullet of one above: in registers
    uint32_t x, y;
    int32_t vx, vy;
    int size;      // of a rock; the life of a bullet
    uint8_t angle; // which wraps
    int spin;
};
static_assert(ROCK_SLOTS + BULLET_SLOTS == 32, "a lane for each object");

HD Rock get_rock(const LaneObject &o, int) {
    return {o.x, o.y, o.vx, o.vy, o.size, o.angle, o.spin};
}
HD void put_rock(LaneObject &o, int, const Rock &rock) {
    o = {rock.x, rock.y, rock.vx, rock.vy, rock.size, uint8_t(rock.angle), rock.spin};
}
HD Bullet get_bullet(const LaneObject &o, int) { return {o.x, o.y, o.vx, o.vy, o.size}; }
HD void put_bullet(LaneObject &o, int, const Bullet &bullet) {
    o = {bullet.x, bullet.y, bullet.vx, bullet.vy, bullet.life, o.angle, o.spin};
}

struct Warp { // the 32 threads of a warp, one lane each
    typedef LaneObject Objects;
    struct PerRock {
        int own = 0;
        HD int &operator[](int) { return own; }
    };
    int lane;

    template <class F> HD void each(int n, F f) const {
        if (lane < n) f(lane);
        __syncwarp();
    }
    template <class F> HD uint32_t where(int n, F f) const {
        return __ballot_sync(0xffffffffu, lane < n && f(lane));
    }
    template <class F> HD void rocks(F f) const {
        if (lane < ROCK_SLOTS) f(lane);
    }
    template <class F> HD void rocks_and_more(F f) const { f(lane); }
    template <class F> HD void bullets(F f) const {
        if (lane >= ROCK_SLOTS) f(lane - ROCK_SLOTS);
    }
    // All lanes find out, since a branch around it costs more.
    template <class F> HD uint32_t rocks_where(F f) const {
        return __ballot_sync(0xffffffffu, bool(f(lane))) & ((1u << ROCK_SLOTS) - 1);
    }
    template <class F> HD uint32_t bullets_where(F f) const {
        return __ballot_sync(0xffffffffu, bool(f(lane - ROCK_SLOTS))) >> ROCK_SLOTS;
    }
    // Each lane works out both, and so what they have in common only once.
    template <class F, class G> HD void all(Objects &o, F f, G g) const {
        const Rock rock = f(get_rock(o, lane));
        const Bullet bullet = g(get_bullet(o, lane));
        const bool is_rock = lane < ROCK_SLOTS;
        o = {is_rock ? rock.x : bullet.x,
             is_rock ? rock.y : bullet.y,
             is_rock ? rock.vx : bullet.vx,
             is_rock ? rock.vy : bullet.vy,
             is_rock ? rock.size : bullet.life,
             uint8_t(rock.angle), // a bullet's are of no use
             rock.spin};
    }
    // Three at a time, without a branch between them: they overlap. The gun's usual pace allows no
    // more to fly at once.
    template <class F> HD void bullet_places(const Objects &o, uint32_t which, F f) const {
#pragma unroll
        for (int first = 0; first < BULLET_SLOTS; first += 3) {
            if (which >> first == 0) break;
            for (int i = first; i < first + 3 && i < BULLET_SLOTS; i++) { // constants
                f(i, from(o.x, ROCK_SLOTS + i), from(o.y, ROCK_SLOTS + i));
            }
        }
    }
    template <class R, class B, class F>
    HD void objects(uint32_t which, R rock, B bullet, F f) const {
        if (which >> lane & 1) f(lane, lane < ROCK_SLOTS ? rock(lane) : bullet(lane - ROCK_SLOTS));
    }
    HD Rock rock(const Objects &o, int i) const {
        return {from(o.x, i),    from(o.y, i),          from(o.vx, i),  from(o.vy, i),
                from(o.size, i), from(int(o.angle), i), from(o.spin, i)};
    }
    HD Bullet bullet(const Objects &o, int i) const {
        i += ROCK_SLOTS;
        return {from(o.x, i), from(o.y, i), from(o.vx, i), from(o.vy, i), from(o.size, i)};
    }
    HD void set_rock(Objects &o, int i, const Rock &rock) const {
        if (lane == i) put_rock(o, i, rock);
    }
    HD void set_bullet(Objects &o, int i, const Bullet &bullet) const {
        if (lane == i + ROCK_SLOTS) put_bullet(o, i, bullet);
    }

  private:
    template <class T> HD T from(T value, int i) const {
        return T(__shfl_sync(0xffffffffu, value, i));
    }
};
#endif
