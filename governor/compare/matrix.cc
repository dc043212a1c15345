#include "governor/compare/matrix.h"

#include <memory>
#include <mutex>

#include "governor/compare/parallel.h"

namespace flyball {
namespace {

constexpr double kSearchShare = 0.4;  // of the progress, of looking for static_best first

bool is_stopped(const std::atomic<bool>* stop) { return stop != nullptr && stop->load(); }

struct MatrixRun {
  std::size_t cell, seed, i;
};

}  // namespace

void run_matrix(std::vector<MatrixCell> cells, unsigned threads, const std::atomic<bool>* stop,
                const MatrixProgress& progress) {
  const auto tell = [&](double done) {
    if (progress.done) progress.done(done);
  };
  double searched = 0;  // share of the progress
  std::vector<std::unique_ptr<Contest>> contests(cells.size());
  std::vector<MatrixRun> runs;
  for (std::size_t c = 0; c < cells.size() && !is_stopped(stop); ++c) {
    MatrixCell& cell = cells[c];
    if (cell.seeds.empty()) continue;
    const double each = kSearchShare / static_cast<double>(cells.size());
    cell.options.threads = threads;
    cell.options.stop = stop;
    cell.options.progress = [&tell, each, from = searched](double done) { tell(from + each * done); };
    contests[c] = std::make_unique<Contest>(*cell.platform, *cell.scenario, cell.options);
    // A search that was stopped has found nothing.
    if (is_stopped(stop)) return;
    if (!contests[c]->static_best().empty() && cell.options.static_best.empty()) searched += each;
    if (progress.on_prepared) progress.on_prepared(c, *contests[c]);
    for (const std::size_t seed : cell.seeds)
      for (std::size_t i = 0; i < contests[c]->runs_per_seed(); ++i) runs.push_back({c, seed, i});
  }
  std::mutex one_at_a_time;
  parallel_for(
      runs.size(), threads, stop,
      [&](std::size_t r) {
        const MatrixRun& run = runs[r];
        const auto figures = contests[run.cell]->run(run.seed, run.i);
        if (!figures || !progress.on_seed) return;
        const std::lock_guard lock(one_at_a_time);
        progress.on_seed(run.cell, run.seed, *figures);
      },
      [&](std::size_t done) {
        tell(searched +
             (1 - searched) * static_cast<double>(done) / static_cast<double>(runs.size()));
      });
}

}  // namespace flyball
