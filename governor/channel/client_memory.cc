#include "governor/channel/client_memory.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <new>
#include <string>
#include <system_error>

#include "kernels/base/error.h"

namespace flyball {
namespace {

[[noreturn]] void cannot_make(const char* what) {
  failure("memory of an application",
          std::string(what) + ": " + std::generic_category().message(errno),
          "free memory, or raise the limit of open files");
}

/// Words of memory that somebody else may be writing.
template <typename T>
void copy_out(const T& from, T& to) noexcept {
  static_assert(sizeof(T) % 8 == 0 && alignof(T) >= 8);
  const auto* words = reinterpret_cast<const std::uint64_t*>(&from);
  auto* bytes = reinterpret_cast<char*>(&to);
  for (std::size_t w = 0; w < sizeof(T) / 8; ++w) {
    const std::uint64_t word = __atomic_load_n(&words[w], __ATOMIC_ACQUIRE);
    std::memcpy(bytes + 8 * w, &word, sizeof word);
  }
}

/// The writer's side of a seqlock in shared memory, with a sequence of our own.
template <typename T>
void write_slot(std::uint32_t& at, std::uint64_t* words, std::uint32_t& sequence,
                const T& value) noexcept {
  __atomic_store_n(&at, sequence + 1, __ATOMIC_RELAXED);
  const auto* bytes = reinterpret_cast<const char*>(&value);
  for (std::size_t w = 0; w < (sizeof(T) + 7) / 8; ++w) {
    std::uint64_t word = 0;
    const std::size_t left = sizeof(T) - 8 * w;
    std::memcpy(&word, bytes + 8 * w, left < 8 ? left : 8);
    __atomic_store_n(&words[w], word, __ATOMIC_RELEASE);
  }
  sequence += 2;
  if (sequence == 0) sequence = 2;  // 0 is: nothing yet
  __atomic_store_n(&at, sequence, __ATOMIC_SEQ_CST);
}

}  // namespace

ClientMemory::ClientMemory()
    : memory_(memfd_create("flyball-app", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  if (!memory_ || ftruncate(memory_.get(), FLYBALL_SHARED_BYTES) != 0)
    cannot_make("cannot be made");
  if (fcntl(memory_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    cannot_make("cannot be sealed");
  void* at =
      mmap(nullptr, FLYBALL_SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
  if (at == MAP_FAILED) cannot_make("cannot be mapped");
  // Memory is given to a file page by page as it is touched: where there is none, that is SIGBUS, so
  // it is asked for here.
  if (fallocate(memory_.get(), 0, 0, FLYBALL_SHARED_BYTES) != 0 && errno != EOPNOTSUPP &&
      errno != ENOSYS) {
    munmap(at, FLYBALL_SHARED_BYTES);
    cannot_make("no room");
  }
  shared_ = new (at) fly_shared{};
  shared_->magic = FLY_MAGIC;
  shared_->version = FLYBALL_INTERFACE;
  shared_->bytes = FLYBALL_SHARED_BYTES;
  shared_->ring_jobs = FLYBALL_RING_JOBS;
}

void ClientMemory::give_back() noexcept {
  // All but what the library reads after a hang-up: who keeps the descriptor keeps no memory of ours.
  fallocate(memory_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096,
            FLYBALL_SHARED_BYTES - 4096);
}

ClientMemory::~ClientMemory() { munmap(shared_, FLYBALL_SHARED_BYTES); }

bool ClientMemory::peek_job(fly_job& out) noexcept {
  const std::uint64_t head = __atomic_load_n(&shared_->head, __ATOMIC_ACQUIRE);
  if (head == tail_) return false;
  if (head - tail_ > FLYBALL_RING_JOBS) {
    ++garbage_;
    tail_ = head;
    __atomic_store_n(&shared_->tail, tail_, __ATOMIC_RELEASE);
    return false;
  }
  copy_out(shared_->job[tail_ % FLYBALL_RING_JOBS], out);
  return true;
}

void ClientMemory::pass_job() noexcept {
  __atomic_store_n(&shared_->tail, ++tail_, __ATOMIC_RELEASE);
}

bool ClientMemory::running(fly_running& out) const noexcept {
  constexpr int kTries = 3;
  for (int i = 0; i < kTries; ++i) {
    const std::uint32_t before = __atomic_load_n(&shared_->running.sequence, __ATOMIC_ACQUIRE);
    copy_out(shared_->running, out);
    const std::uint32_t after = __atomic_load_n(&shared_->running.sequence, __ATOMIC_RELAXED);
    if (before % 2 == 0 && before == after) return true;
  }
  return false;
}

void ClientMemory::put_setting(const flyball_setting& setting) noexcept {
  fly_settings& to = shared_->settings;
  write_slot(to.sequence, to.word, setting_sequence_, setting);
  if (__atomic_exchange_n(&to.waiting, 0u, __ATOMIC_SEQ_CST) != 0)
    syscall(SYS_futex, &to.sequence, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

void ClientMemory::put_effect(const flyball_effect& effect) noexcept {
  write_slot(shared_->effects.sequence, shared_->effects.word, effect_sequence_, effect);
}

void ClientMemory::beat(std::int64_t now_ns) noexcept {
  __atomic_store_n(&shared_->beat_ns, now_ns, __ATOMIC_RELAXED);
}

}  // namespace flyball
