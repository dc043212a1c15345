#pragma once

#include <optional>
#include <string>
#include <vector>

#include "governor/status/status_page.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {

/// The governor's side of a status page: memory without a name whose size is sealed, so that no
/// reader can take it from under the writer, and that nobody else can write to.
class StatusMemory {
 public:
  /// Throws Error (kFailure).
  StatusMemory();
  ~StatusMemory();
  StatusMemory(const StatusMemory&) = delete;
  StatusMemory& operator=(const StatusMemory&) = delete;

  StatusPage& page() { return *page_; }
  /// To be handed to readers: it is open for reading only.
  int read_only() const { return read_only_.get(); }

 private:
  FileDescriptor memory_, read_only_;
  StatusPage* page_ = nullptr;
};

/// A reader's side. Whoever made the page may have made it to do harm: its size must be sealed, its
/// numbers are taken as numbers only, its texts by PageText::get(), and nothing is waited for.
class StatusView {
 public:
  /// Throws Error (kFailure) when it is no page of this version.
  explicit StatusView(FileDescriptor page);
  ~StatusView();
  StatusView(StatusView&& other) noexcept;
  StatusView(const StatusView&) = delete;
  StatusView& operator=(const StatusView&) = delete;

  /// With at most kMaxClusters clusters. Throws Error (kFailure) when the page holds none.
  StatusFacts facts() const;
  /// The same; `window_ns` is 0 before the first second is over.
  StatusNow now() const;
  /// The last `most` that are still there, oldest first.
  std::vector<PlainDecision> decisions(int most) const;
  std::vector<StatusSecond> seconds(int most) const;

 private:
  const StatusPage* page_ = nullptr;
};

}  // namespace flyball
