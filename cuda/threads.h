// A pool of threads that share out the arenas of a step. The threads live as long as the pool.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
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
        {
            std::lock_guard<std::mutex> lock(mutex_);
            job_ = &job, n_ = n, grain_ = grain, next_ = 0;
            busy_ = int(workers_.size());
            round_++;
        }
        wake_.notify_all();
        share(job);
        if (soon([this] { return busy_ == 0; })) return;
        std::unique_lock<std::mutex> lock(mutex_);
        done_.wait(lock, [this] { return busy_ == 0; });
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

    void share(const std::function<void(int, int)> &job) {
        for (;;) {
            const int first = next_.fetch_add(grain_);
            if (first >= n_) return;
            job(first, first + grain_ < n_ ? first + grain_ : n_);
        }
    }

    void work() {
        for (uint64_t seen = 0;;) {
            soon([&] { return stopping_ || round_ != seen; });
            std::unique_lock<std::mutex> lock(mutex_);
            wake_.wait(lock, [&] { return stopping_ || round_ != seen; });
            if (stopping_) return;
            seen = round_;
            const std::function<void(int, int)> &job = *job_;
            lock.unlock();
            share(job);
            lock.lock();
            if (--busy_ == 0) done_.notify_one();
        }
    }

    std::vector<std::thread> workers_;
    std::mutex mutex_;
    std::condition_variable wake_, done_;
    const std::function<void(int, int)> *job_ = nullptr;
    int n_ = 0, grain_ = 1;
    std::atomic<int> next_{0}, busy_{0};
    std::atomic<uint64_t> round_{0};
    std::atomic<bool> stopping_{false};
};
