#include "governor/torch/dqn_training.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "kernels/base/error.h"
#include "kernels/base/random.h"

// OpenBLAS has threads of its own, which LibTorch does not tell: on matrices as small as these they only
// wait for each other. Absent where another library does the algebra.
extern "C" __attribute__((weak)) void openblas_set_num_threads(int threads);

namespace flyball {
namespace {

using torch::Tensor;

constexpr int kMostJobs = 256;  // of a board; the rest says little more
constexpr int kRounds = 4;      // of targets, which hold what follows
constexpr int kCheckEvery = 20;
constexpr int kJudgedJobs = 10;
constexpr int kHeldOutEvery = 4;
constexpr double kRate = 0.01;
constexpr double kLeastSpread = 0.02;
// What an arm's own features cost starts from the belief, and unsurer than boards differ: a spread that is
// fitted to them is too sure of itself to try the arms that pay on the few that are unlike the others.
constexpr double kOwnSpread = 1;
constexpr int kRest =
    2 + 1 + DqnBody::kFeatures;  // of the last layer: context, coupled, the body's
constexpr double kFarOff = 25;   // deviations squared; what is further off says nothing more
const auto kDouble = torch::TensorOptions().dtype(torch::kFloat64);

/// Of the boards of one platform, [board][job]; where a board has fewer jobs, `there` is 0.
struct Batch {
  Tensor input, own, next_input, next_own, cost, coupled, next_coupled, there;
};

Batch batch_of(const DqnBoards& boards, bool held_out) {
  const LinearPrior prior =
      LinearPrior::of_board(static_cast<int>(boards.platform->clusters.size()));
  std::vector<const std::vector<DqnJob>*> chosen;
  for (std::size_t i = 0; i < boards.jobs.size(); ++i) {
    if ((i % kHeldOutEvery == kHeldOutEvery - 1) == held_out && !boards.jobs[i].empty()) {
      chosen.push_back(&boards.jobs[i]);
    }
  }
  const auto n = static_cast<std::int64_t>(chosen.size());
  const auto zeros = [&](std::int64_t last) { return torch::zeros({n, kMostJobs, last}, kDouble); };
  Batch b{zeros(DqnBody::kInputs),
          zeros(prior.size()),
          zeros(DqnBody::kInputs),
          zeros(prior.size()),
          zeros(1),
          zeros(1),
          zeros(1),
          zeros(1)};
  for (std::int64_t i = 0; i < n; ++i) {
    const std::vector<DqnJob>& jobs = *chosen[static_cast<std::size_t>(i)];
    const std::size_t stride = (jobs.size() + kMostJobs - 1) / kMostJobs;
    for (std::size_t j = 0; j * stride < jobs.size(); ++j) {
      const DqnJob& job = jobs[j * stride];
      const auto row = [&](const Tensor& t) {
        return t.data_ptr<double>() + (i * kMostJobs + static_cast<std::int64_t>(j)) * t.size(2);
      };
      const DqnBody::Input now = DqnBody::input(job.state, job.x);
      const DqnBody::Input next = DqnBody::input(job.next_state, job.next);
      std::copy_n(now.data(), now.size(), row(b.input));
      std::copy_n(next.data(), next.size(), row(b.next_input));
      std::copy_n(job.x.data(), prior.size(), row(b.own));
      std::copy_n(job.next.data(), prior.size(), row(b.next_own));
      *row(b.cost) = job.cost;
      *row(b.coupled) = job.state.coupled ? 1 : 0;
      *row(b.next_coupled) = job.next_state.coupled ? 1 : 0;
      *row(b.there) = 1;
    }
  }
  return b;
}

/// What of it is learned.
struct Weights {
  Tensor first, first_bias, second, second_bias, log_noise;
  /// Of each platform, of the last layer: what belongs to an arm's own features, which is not learned,
  /// and the rest.
  std::vector<Tensor> own_mean, own_log_spread, rest_mean, rest_log_spread;

  std::vector<Tensor> all() const {
    std::vector<Tensor> list = {first, first_bias, second, second_bias, log_noise};
    list.insert(list.end(), rest_mean.begin(), rest_mean.end());
    list.insert(list.end(), rest_log_spread.begin(), rest_log_spread.end());
    return list;
  }
  Tensor mean(std::size_t platform) const {
    return torch::cat({own_mean[platform], rest_mean[platform]});
  }
  Tensor log_spread(std::size_t platform) const {
    return torch::cat({own_log_spread[platform], rest_log_spread[platform]});
  }
  Tensor seen(const Tensor& input, const Tensor& own, const Tensor& coupled) const {
    const Tensor hidden = torch::relu(torch::matmul(input, first.t()) + first_bias);
    const Tensor features = torch::relu(torch::matmul(hidden, second.t()) + second_bias);
    return torch::cat({own, coupled, features}, 2);
  }
};

struct Posterior {
  Tensor precision, mean;
};

Posterior after(const Weights& w, std::size_t platform, const Tensor& seen, const Tensor& target,
                const Tensor& known) {
  const Tensor inverse = torch::exp(-2 * w.log_spread(platform));
  const Tensor noise = torch::exp(2 * w.log_noise);
  const Tensor weighted = (seen * known).transpose(1, 2) / noise;
  const Tensor precision = torch::diag(inverse) + torch::matmul(weighted, seen);
  const Tensor right = (inverse * w.mean(platform)).unsqueeze(1) + torch::matmul(weighted, target);
  return {precision, at::linalg_solve(precision, right)};
}

Tensor first_jobs(const Tensor& there, int jobs) {
  return there * (torch::cumsum(there, 1) <= jobs).to(torch::kFloat64);
}

Tensor targets(const Weights& w, std::size_t platform, const Batch& b, const Tensor& before) {
  const Tensor seen = w.seen(b.input, b.own, b.coupled);
  const Tensor next = w.seen(b.next_input, b.next_own, b.next_coupled);
  const Tensor mean = after(w, platform, seen, before, b.there).mean;
  return b.cost + Dqn::kDiscount * b.coupled * torch::clamp_min(torch::matmul(next, mean), 0);
}

/// Of jobs that are not known how unlikely they are, and the squares of how far they are off.
std::pair<Tensor, Tensor> judge(const Weights& w, std::size_t platform, const Batch& b,
                                const Tensor& target, int jobs) {
  const Tensor seen = w.seen(b.input, b.own, b.coupled);
  const Tensor known = first_jobs(b.there, jobs), unknown = b.there - known;
  const Posterior p = after(w, platform, seen, target, known);
  const Tensor spread =
      (seen * at::linalg_solve(p.precision, seen.transpose(1, 2)).transpose(1, 2)).sum(2, true);
  const Tensor variance = spread + torch::exp(2 * w.log_noise);
  const Tensor off2 = (target - torch::matmul(seen, p.mean)).square();
  const Tensor unlikely = torch::log(variance) + torch::clamp_max(off2 / variance, kFarOff);
  const Tensor count = torch::clamp_min(unknown.sum(), 1);
  return {(unlikely * unknown).sum() / count, (off2 * unknown).sum() / count};
}

template <class Matrix>
void take(const Tensor& from, Matrix& to) {
  // Row after row there, column after column here.
  const Tensor dense = from.dim() == 2 ? from.t().contiguous() : from.contiguous();
  std::copy_n(dense.data_ptr<double>(), to.size(), to.data());
}

std::vector<double> values(const Tensor& tensor) {
  const Tensor dense = tensor.contiguous();
  return {dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel()};
}

Tensor copy_of(const std::vector<double>& list) { return torch::tensor(list, kDouble); }

}  // namespace

DqnTrained train_dqn(std::span<const DqnBoards> boards, const DqnTraining& training) {
  torch::manual_seed(training.seed);
  torch::set_num_threads(1);  // sums in another order are other sums
  if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
  Weights w;
  w.first = torch::randn({DqnBody::kHidden, DqnBody::kInputs}, kDouble) * 0.5;
  w.first_bias = torch::zeros({DqnBody::kHidden}, kDouble);
  w.second = torch::randn({DqnBody::kFeatures, DqnBody::kHidden}, kDouble) * 0.25;
  w.second_bias = torch::zeros({DqnBody::kFeatures}, kDouble);
  w.log_noise = torch::log(torch::full({}, 0.1, kDouble));
  std::vector<Batch> taught, kept_out;
  std::vector<Tensor> target;
  DqnTrained best;
  for (const DqnBoards& each : boards) {
    const Dqn untrained(LinearPrior::of_board(static_cast<int>(each.platform->clusters.size())), 1);
    taught.push_back(batch_of(each, false));
    kept_out.push_back(batch_of(each, true));
    target.push_back(taught.back().cost);
    // Judged by what is known and not itself expected: jobs of which nothing follows.
    kept_out.back().there = kept_out.back().there * (1 - kept_out.back().coupled);
    const Tensor& there = kept_out.back().there;
    if ((there - first_jobs(there, kJudgedJobs)).sum().item<double>() <= 0) {
      input_error("--scenario",
                  fmt::format("of {} no job is left to judge by: on every fourth board those count "
                              "that no other waits for, from the {}th on",
                              each.platform->name, kJudgedJobs + 1),
                  "name a scenario in which no jobs queue, or more --jobs");
    }
    const int own = untrained.last_size() - kRest;
    std::vector<double> mean, log_spread;
    for (int i = own; i < untrained.last_size(); ++i) {
      mean.push_back(untrained.mean(i));
      log_spread.push_back(std::log(untrained.spread(i)));
    }
    w.own_mean.push_back(torch::ones({own}, kDouble));
    w.own_log_spread.push_back(torch::full({own}, std::log(kOwnSpread), kDouble));
    w.rest_mean.push_back(copy_of(mean));
    w.rest_log_spread.push_back(copy_of(log_spread));
  }
  const auto error = [&](const Weights& of) {
    double sum = 0;
    for (std::size_t p = 0; p < boards.size(); ++p)
      sum += judge(of, p, kept_out[p], kept_out[p].cost, kJudgedJobs).second.item<double>();
    return std::sqrt(sum / static_cast<double>(boards.size()));
  };
  const auto remember = [&] {
    take(w.first, best.body.first);
    take(w.first_bias, best.body.first_bias);
    take(w.second, best.body.second);
    take(w.second_bias, best.body.second_bias);
    best.mean.clear(), best.spread.clear();
    for (std::size_t p = 0; p < boards.size(); ++p) {
      best.mean.push_back(values(w.mean(p)));
      best.spread.push_back(values(torch::clamp_min(torch::exp(w.log_spread(p)), kLeastSpread)));
    }
  };
  {
    torch::NoGradGuard off;
    Weights none = w;
    none.first = torch::zeros_like(w.first), none.second = torch::zeros_like(w.second);
    best.error = best.untrained_error = error(none);
    std::swap(none, w);
    remember();
    std::swap(none, w);
  }
  for (Tensor& each : w.all()) each.set_requires_grad(true);
  torch::optim::Adam optimiser(w.all(), torch::optim::AdamOptions(kRate));
  Random random(training.seed, 0x64716e);
  const int round = std::max(1, training.steps / kRounds);
  for (int step = 0; step < training.steps; ++step) {
    if (step % round == 0) {
      torch::NoGradGuard off;
      for (std::size_t p = 0; p < boards.size(); ++p)
        target[p] = targets(w, p, taught[p], target[p]);
    }
    optimiser.zero_grad();
    Tensor loss = torch::zeros({}, kDouble);
    for (std::size_t p = 0; p < boards.size(); ++p)
      loss = loss + judge(w, p, taught[p], target[p], 1 << random.below(7)).first;
    loss.backward();
    optimiser.step();
    if ((step + 1) % kCheckEvery == 0 || step + 1 == training.steps) {
      torch::NoGradGuard off;
      const double now = error(w);
      if (std::isfinite(now) && now < best.error) best.error = now, remember();
      if (training.progress) training.progress((step + 1.0) / training.steps);
    }
  }
  return best;
}

}  // namespace flyball
