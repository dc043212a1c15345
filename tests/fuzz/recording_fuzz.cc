// A recording: header and blocks, each with a checksum of its own.

#include <algorithm>
#include <string_view>

#include "governor/record/export.h"
#include "governor/record/recording.h"
#include "tests/fuzz/checksum.h"
#include "tests/fuzz/input_file.h"

namespace flyball::fuzz {
namespace {

// Both: a magic of 8 bytes, a number, a length n, n bytes, the checksum of all of it.
constexpr std::size_t kHead = 16, kLengthAt = 12;

void mend_part(std::uint8_t* data, std::size_t size, std::size_t at) {
  if (size - at < kHead) return;
  const std::size_t length = little_u32(data + at + kLengthAt);
  if (length <= size - at - kHead) mend(data, size, at, at + kHead + length);
}

void mend_all(std::uint8_t* data, std::size_t size) {
  mend_part(data, size, 0);
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::string_view magic : {"FLYBLOCK", "FLYZSTD1"}) {
    for (std::size_t at = bytes.find(magic); at != std::string_view::npos;
         at = bytes.find(magic, at + magic.size())) {
      mend_part(data, size, at);
    }
  }
}

void check_epoch(const Observation& out, const DecisionRow& row) {
  if (out.job_count > kMaxEpochJobs || out.app_count > kMaxApps) {
    broken("an observation keeps within its arrays", std::to_string(out.sequence));
  }
  if (row.decision.forecasts > kMaxForecasts) {
    broken("a decision keeps within its array", std::to_string(out.sequence));
  }
}

}  // namespace
}  // namespace flyball::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flyball;
  return fuzz::read_input(data, size, [](const std::string& path) {
    std::uint64_t epochs = 0, jobs = 0;
    RecordingVisitor visitor;
    visitor.on_info = [](const RecordingInfo& info) {
      for (const std::string& name : {info.platform.name, info.scenario, info.policy}) {
        fuzz::check_printable(name);
      }
    };
    visitor.on_bind = [&](int, const Binding& binding, const Observation&) {
      fuzz::check_printable(binding.name);
      fuzz::check_printable(binding.profile);
    };
    visitor.on_epoch = [&](const Observation& out, const DecisionRow& row) {
      fuzz::check_epoch(out, row);
      ++epochs;
    };
    visitor.on_job = [&](const JobRecord& job) {
      if (job.latency_ns() < 0 || job.execution_ns() < 0) {
        fuzz::broken("a job ends after it began", std::to_string(job.sequence));
      }
      ++jobs;
    };
    const RecordingReport report = read_recording(path, visitor);
    if (report.epochs != epochs || report.jobs != jobs) {
      fuzz::broken("the report counts what was visited", std::to_string(epochs));
    }
    // What people look at: decisions explained, readings with their units, knobs by their names.
    static const fuzz::OutputFolder folder;
    const RecordingReport exported = export_csv(path, folder.path());
    if (exported.epochs != epochs || exported.jobs != jobs) {
      fuzz::broken("what can be read can be exported", std::to_string(exported.epochs));
    }
  });
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0) flyball::fuzz::mend_all(data, size);
  return size;
}
