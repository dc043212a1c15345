// The status page as shared memory: whole values under a writer that never waits, and a reader that
// nothing in it can harm.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <thread>

#include "governor/status/status_memory.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

FileDescriptor memory_of(std::size_t bytes, bool sealed) {
  FileDescriptor memory(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (ftruncate(memory.get(), static_cast<off_t>(bytes)) != 0) abort();
  if (sealed) fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
  return memory;
}
FileDescriptor copy_of(int fd) { return FileDescriptor(dup(fd)); }

std::string refusal_of(FileDescriptor page) {
  try {
    const StatusView view(std::move(page));
    view.facts();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::kFailure);
    return error.what();
  }
  return "";
}

TEST(SeqSlot, AReaderSeesWholeValuesOnly) {
  struct Pair {
    std::uint64_t a, b[20];
    std::uint8_t odd;
  };
  SeqSlot<Pair> slot;
  Pair pair{};
  EXPECT_FALSE(slot.get(pair));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    Pair value{};
    for (std::uint64_t n = 1; !stop; ++n) {
      value.a = n;
      for (std::uint64_t& each : value.b) each = n;
      value.odd = static_cast<std::uint8_t>(n);
      slot.put(value);
    }
  });
  int seen = 0;
  while (seen < 2000) {
    if (!slot.get(pair)) continue;
    ++seen;
    for (const std::uint64_t each : pair.b) ASSERT_EQ(each, pair.a);
    ASSERT_EQ(pair.odd, static_cast<std::uint8_t>(pair.a));
  }
  stop = true;
  writer.join();
}

TEST(StatusMemory, NobodyButItsWriterCanChangeOrCutIt) {
  StatusMemory memory;
  const int fd = memory.read_only();
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
  EXPECT_EQ(write(fd, "x", 1), -1);
  EXPECT_EQ(ftruncate(fd, 0), -1);
  // Root may open it anew for writing, and still not write.
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const FileDescriptor again(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (again) {
    EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again.get(), 0), MAP_FAILED);
    EXPECT_EQ(pwrite(again.get(), "x", 1, 0), -1);
    EXPECT_EQ(ftruncate(again.get(), 0), -1);
  }
}

TEST(StatusMemory, AReaderHasWhatWasWritten) {
  StatusMemory memory;
  StatusFacts facts;
  facts.clusters = 2;
  facts.cluster[1].name.set("policy4");
  memory.page().facts.put(facts);
  const StatusView view(copy_of(memory.read_only()));
  EXPECT_EQ(view.facts().clusters, 2);
  EXPECT_EQ(view.facts().cluster[1].name.get(), "policy4");
  EXPECT_EQ(view.now().window_ns, 0);
  EXPECT_TRUE(view.decisions(5).empty());
  for (std::uint32_t n = 0; n < StatusPage::kDecisions + 10; ++n) {
    PlainDecision one;
    one.number = n;
    memory.page().decision[n % StatusPage::kDecisions].put(one);
    memory.page().decisions.store(n + 1);
  }
  const std::vector<PlainDecision> last = view.decisions(3);
  ASSERT_EQ(last.size(), 3u);
  EXPECT_EQ(last.front().number, StatusPage::kDecisions + 7u);
  EXPECT_EQ(last.back().number, StatusPage::kDecisions + 9u);
  EXPECT_EQ(view.decisions(1000).size(), static_cast<std::size_t>(StatusPage::kDecisions));
}

TEST(StatusView, RefusesWhatIsNoPage) {
  using ::testing::HasSubstr;
  EXPECT_THAT(refusal_of(FileDescriptor()), HasSubstr("was not handed over"));
  EXPECT_THAT(refusal_of(memory_of(sizeof(StatusPage), false)), HasSubstr("not sealed"));
  EXPECT_THAT(refusal_of(memory_of(16, true)), HasSubstr("too small"));
  EXPECT_THAT(refusal_of(memory_of(sizeof(StatusPage), true)), HasSubstr("another version"));
  EXPECT_THAT(refusal_of(FileDescriptor(open("/dev/null", O_RDONLY))), HasSubstr("not sealed"));
}

TEST(StatusView, AWriterThatDiedWithinAWriteKeepsNobodyWaiting) {
  FileDescriptor memory = memory_of(sizeof(StatusPage), true);
  void* at = mmap(nullptr, sizeof(StatusPage), PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  auto* page = new (at) StatusPage;
  page->facts.put({});
  // The sequence is the slot's first word: odd is within a write.
  std::uint32_t odd = 3;
  std::memcpy(static_cast<void*>(&page->facts), &odd, sizeof odd);
  EXPECT_THAT(refusal_of(copy_of(memory.get())), ::testing::HasSubstr("holds nothing"));
  munmap(at, sizeof(StatusPage));
}

/// Whatever stands in a page of the right size, its numbers index nothing and its texts are lines.
TEST(StatusView, NothingInAPageHarmsItsReader) {
  FileDescriptor memory = memory_of(sizeof(StatusPage), true);
  void* at = mmap(nullptr, sizeof(StatusPage), PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  std::mt19937_64 random(1);
  for (int round = 0; round < 12; ++round) {
    auto* bytes = static_cast<unsigned char*>(at);
    for (std::size_t i = 0; i < sizeof(StatusPage); ++i)
      bytes[i] = round % 3 == 0 ? 0xff : static_cast<unsigned char>(random());
    const StatusPage fresh;
    std::memcpy(at, static_cast<const void*>(&fresh), 16);  // magic, version, size
    auto* page = static_cast<StatusPage*>(at);
    for (auto* slot : {static_cast<void*>(&page->facts), static_cast<void*>(&page->now)})
      std::memset(slot, 2, 4);  // whole values
    const StatusView view(copy_of(memory.get()));
    const StatusFacts facts = view.facts();
    EXPECT_LE(facts.clusters, kMaxClusters);
    EXPECT_GE(facts.clusters, 0);
    EXPECT_EQ(facts.policy.get().find_first_of("\033\n"), std::string::npos);
    EXPECT_LE(view.now().clusters, kMaxClusters);
    for (const PlainDecision& one : view.decisions(1000)) EXPECT_LT(one.cluster, kMaxClusters);
    EXPECT_LE(view.seconds(1000).size(), static_cast<std::size_t>(StatusPage::kSeconds));
  }
  munmap(at, sizeof(StatusPage));
}

}  // namespace
}  // namespace flyball
