// A pool of threads that share out the arenas of a step, or the rows of a picture. The threads live
// as long as the pool. Whoever calls it waits for the pieces that others have taken, not for
// threads that have not come yet: on a busy machine it does them all itself.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unistd.h>
#include <vector>

class Threads {
  public:
    explicit Threads(int wanted) {
        for (int i = 1; i < wanted; i++) workers_.emplace_back([this] { work(); });
    }

    ~Threads() {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        for (std::thread &worker : workers_) worker.join();
    }

    // Calls job(first, last) for pieces of [0, n) of at most `grain`, on all threads, and returns
    // when all are done.
    void run(int n, int grain, const std::function<void(int, int)> &job) {
        if (workers_.empty() || n <= grain) {
            if (n > 0) job(0, n);
            return;
        }
        const uint32_t pieces = uint32_t((n + grain - 1) / grain);
        const uint32_t round = round_ + 1;
        {
            std::lock_guard<std::mutex> lock(mutex_);
            next_ = ~uint64_t(0); // nothing to take, also for one who has just read what there was
            job_ = &job, n_ = n, grain_ = grain, finished_ = 0, pieces_ = pieces;
            next_ = uint64_t(round) << 32;
            round_ = round;
        }
        wake_.notify_all();
        share(round);
        const auto all_done = [&] { return finished_ == pieces; };
        if (soon(all_done)) return;
        std::unique_lock<std::mutex> lock(mutex_);
        done_.wait(lock, all_done);
    }

  private:
    // Waits a moment without sleeping: waking a thread up takes longer than the time between two
    // steps of a small batch. Returns whether it has come true.
    template <class Condition> static bool soon(Condition condition) {
        const auto start = std::chrono::steady_clock::now();
        while (!condition()) {
            if (std::chrono::steady_clock::now() - start > std::chrono::microseconds(100)) {
                return false;
            }
        }
        return true;
    }

    // Takes pieces of a round while there are any. The round is part of what is counted up, so that
    // one who comes late takes none of a round that he does not know.
    void share(uint32_t round) {
        for (uint64_t next = next_;;) {
            const uint32_t piece = uint32_t(next);
            if (uint32_t(next >> 32) != round || piece >= pieces_) return;
            if (!next_.compare_exchange_weak(next, next + 1)) continue;
            const int first = int(piece) * grain_;
            (*job_)(first, first + grain_ < n_ ? first + grain_ : n_);
            if (++finished_ == pieces_) {
                std::lock_guard<std::mutex> lock(mutex_);
                done_.notify_one();
            }
            next = next_;
        }
    }

    void work() {
        for (uint32_t seen = 0;;) {
            soon([&] { return stopping_ || round_ != seen; });
            {
                std::unique_lock<std::mutex> lock(mutex_);
                wake_.wait(lock, [&] { return stopping_ || round_ != seen; });
                if (stopping_) return;
                seen = round_;
            }
            share(seen);
        }
    }

    std::vector<std::thread> workers_;
    std::mutex mutex_;
    std::condition_variable wake_, done_;
    const std::function<void(int, int)> *job_ = nullptr;
    int n_ = 0, grain_ = 1;
    std::atomic<uint64_t> next_{0}; // the round, and in it the piece that is taken next
    std::atomic<uint32_t> round_{0}, pieces_{0}, finished_{0};
    std::atomic<bool> stopping_{false};
};

// A pool that starts when it is first asked for. No thread survives a fork: the child leaves its
// parent's pool alone, since joining it would wait for ever, and starts one of its own.
class ForkableThreads {
  public:
    explicit ForkableThreads(int count) : count_(count) {}
    ~ForkableThreads() { disown(); }
    ForkableThreads(const ForkableThreads &) = delete;

    int count() const { return count_; }

    Threads &get() {
        disown();
        if (!threads_) {
            threads_ = std::make_unique<Threads>(count_);
            owner_ = getpid();
        }
        return *threads_;
    }

  private:
    void disown() {
        if (threads_ && owner_ != getpid()) (void)threads_.release();
    }

    int count_;
    std::unique_ptr<Threads> threads_;
    pid_t owner_ = 0;
};
