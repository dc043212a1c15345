#include "governor/status/status_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

#include "kernels/base/error.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace flyball {
namespace {

constexpr const char* kPage = "status page";

[[noreturn]] void cannot_make(const char* what) {
  failure(kPage, std::string(what) + ": " + std::generic_category().message(errno),
          "free memory, or raise the limit of open files");
}

[[noreturn]] void no_page(const std::string& why) {
  failure(kPage, why, "use the 'flyball' that governs, or restart that one");
}

/// Of a ring in shared memory, what is still there, oldest first.
template <typename T, std::size_t N>
std::vector<T> last_of(const std::array<SeqSlot<T>, N>& ring, std::uint32_t count, int most) {
  constexpr int kTries = 3;  // one that is being written is not needed
  std::vector<T> last;
  const auto room = std::min<std::uint32_t>(N, static_cast<std::uint32_t>(std::max(0, most)));
  for (std::uint32_t n = count - std::min(count, room); n < count; ++n) {
    T one;
    // A later one may have taken its place meanwhile.
    if (ring[n % N].get(one, kTries) && one.number == n) last.push_back(one);
  }
  return last;
}

}  // namespace

StatusMemory::StatusMemory()
    : memory_(memfd_create("flyball-status", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  if (!memory_ || ftruncate(memory_.get(), sizeof(StatusPage)) != 0)
    cannot_make("no memory for it");
  void* at =
      mmap(nullptr, sizeof(StatusPage), PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
  if (at == MAP_FAILED) cannot_make("cannot be mapped");
  page_ = new (at) StatusPage;
  // Seals by which nobody writes but through our mapping came with 5.1; the mode keeps others out too.
  fchmod(memory_.get(), 0444);
  const int size_seals = F_SEAL_SHRINK | F_SEAL_GROW;
  const bool sealed =
      fcntl(memory_.get(), F_ADD_SEALS, size_seals | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0 ||
      fcntl(memory_.get(), F_ADD_SEALS, size_seals | F_SEAL_SEAL) == 0;
  const std::string path = "/proc/self/fd/" + std::to_string(memory_.get());
  read_only_ = FileDescriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (sealed && read_only_) return;
  munmap(at, sizeof(StatusPage));
  cannot_make(sealed ? "cannot be opened for reading" : "cannot be sealed");
}

StatusMemory::~StatusMemory() { munmap(page_, sizeof(StatusPage)); }

StatusView::StatusView(FileDescriptor page) {
  struct stat info {};
  if (!page || fstat(page.get(), &info) != 0) no_page("was not handed over");
  // Unsealed, it could be cut off under us, which is a SIGBUS.
  const int seals = fcntl(page.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) no_page("its size is not sealed");
  if (info.st_size < static_cast<off_t>(sizeof(StatusPage)))
    no_page("is too small for this version");
  void* at = mmap(nullptr, sizeof(StatusPage), PROT_READ, MAP_SHARED, page.get(), 0);
  if (at == MAP_FAILED) no_page("cannot be mapped: " + std::generic_category().message(errno));
  page_ = static_cast<const StatusPage*>(at);
  if (page_->magic == StatusPage::kMagic && page_->version == StatusPage::kVersion &&
      page_->bytes == sizeof(StatusPage))
    return;
  munmap(at, sizeof(StatusPage));
  no_page("is of another version");
}

StatusView::~StatusView() {
  if (page_) munmap(const_cast<StatusPage*>(page_), sizeof(StatusPage));
}

StatusView::StatusView(StatusView&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}

StatusFacts StatusView::facts() const {
  StatusFacts facts;
  if (!page_->facts.get(facts)) no_page("holds nothing");
  facts.clusters = std::clamp(facts.clusters, 0, kMaxClusters);
  return facts;
}

StatusNow StatusView::now() const {
  StatusNow now;
  if (!page_->now.get(now)) now = {};
  now.clusters = std::clamp(now.clusters, 0, kMaxClusters);
  return now;
}

std::vector<PlainDecision> StatusView::decisions(int most) const {
  std::vector<PlainDecision> last =
      last_of(page_->decision, page_->decisions.load(std::memory_order_acquire), most);
  const auto nobodys = [](const PlainDecision& one) { return one.cluster >= kMaxClusters; };
  last.erase(std::remove_if(last.begin(), last.end(), nobodys), last.end());
  return last;
}

std::vector<StatusSecond> StatusView::seconds(int most) const {
  return last_of(page_->second, page_->seconds.load(std::memory_order_acquire), most);
}

}  // namespace flyball
