#include "governor/cli/verbs/infer_output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "governor/cli/terminal.h"
#include "governor/cli/views/infer_lines.h"
#include "kernels/base/clock.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"
#include "kernels/base/whole_file.h"

namespace flyball::cli {
namespace {

[[noreturn]] void cannot_write(const std::string& path, const std::string& why) {
  failure("--out " + path, "cannot be written: " + why, "choose a disk with room");
}

}  // namespace

void InferOutput::check(const std::string& path, bool json) {
  check_output(
      "--out " + path, path,
      {json ? "results of 'infer --json'" : "results of 'infer'", InferLines::start(json)});
}

InferOutput::InferOutput(const std::string& path, const std::string& first) : path_(path) {
  if (path.empty()) {
    write_result(first);
    return;
  }
  FileReplacement replacement;
  FileStatus status = replacement.begin(path);
  if (status) status = replacement.write(first);
  if (status) status = replacement.put_in_place(/*durable=*/false);
  if (!status) cannot_write(path, status.why);
  file_ = replacement.take();
}

void InferOutput::write(const std::string& line) {
  kept_ += line;
  if (monotonic_ns() - flushed_ns_ > kKeptNs) flush();
}

void InferOutput::flush() {
  flushed_ns_ = monotonic_ns();
  if (!file_) {
    write_result(kept_);
    kept_.clear();
    return;
  }
  std::size_t done = 0;
  while (done < kept_.size() && error_ == 0) {
    const ssize_t written = ::write(file_.get(), kept_.data() + done, kept_.size() - done);
    if (written >= 0)
      done += static_cast<std::size_t>(written);
    else if (errno != EINTR)
      error_ = errno;
  }
  kept_.clear();
}

bool InferOutput::wanted() const { return file_ ? error_ == 0 : !result_refused(); }

void InferOutput::finish() {
  flush();
  if (!file_) return;
  if (error_ == 0 && !file_.close_now()) error_ = errno;
  if (error_ != 0) cannot_write(path_, std::strerror(error_));
}

}  // namespace flyball::cli
