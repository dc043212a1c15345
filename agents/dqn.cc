#include "agents/dqn.h"

#include <algorithm>

namespace flyball {
namespace {

// The body's features are about as large as an arm's own; without a body they are 0 and say nothing.
constexpr double kFeatureSpread = 0.3;
constexpr double kCoupledSpread = 1;

template <class Matrix>
void save_matrix(ByteWriter& out, const Matrix& m) {
  for (Eigen::Index i = 0; i < m.size(); ++i) out.f32(static_cast<float>(m.data()[i]));
}
template <class Matrix>
void load_matrix(ByteReader& in, Matrix& m) {
  for (Eigen::Index i = 0; i < m.size(); ++i) m.data()[i] = static_cast<double>(in.f32());
}

}  // namespace

DqnBody::Input DqnBody::input(const ArmState& state, const Arm::Features& x) {
  Input in = Input::Zero();
  for (int i = 0; i < Arm::kMost; ++i) in[i] = x[static_cast<std::size_t>(i)];
  in[Arm::kMost + state.regime] = 1;
  in[Arm::kMost + kLoadRegimes] = state.coupled ? 1 : 0;
  return in;
}

DqnBody::Features DqnBody::features(const Input& input) const {
  Hidden hidden = first_bias;
  for (int i = 0; i < kInputs; ++i) {
    if (input[i] != 0) hidden += first.col(i) * input[i];
  }
  hidden = hidden.cwiseMax(0.0);
  Features out = second_bias;
  for (int i = 0; i < kHidden; ++i) out += second.col(i) * hidden[i];
  return out.cwiseMax(0.0);
}

void DqnBody::save(ByteWriter& out) const {
  out.u32(kInputs);
  out.u32(kHidden);
  out.u32(kFeatures);
  save_matrix(out, first);
  save_matrix(out, first_bias);
  save_matrix(out, second);
  save_matrix(out, second_bias);
}

void DqnBody::load(ByteReader& in) {
  in.expect(kInputs, "number of inputs");
  in.expect(kHidden, "number of hidden units");
  in.expect(kFeatures, "number of features");
  load_matrix(in, first);
  load_matrix(in, first_bias);
  load_matrix(in, second);
  load_matrix(in, second_bias);
}

Dqn::Dqn(const LinearPrior& prior, int) : prior_(prior), last_(prior.noise) {
  for (int i = 0; i < prior.size(); ++i) last_.add(prior.mean_of(i), prior.spread_of(i));
  last_.add(0, kCoupledSpread);
  for (int i = 0; i < DqnBody::kFeatures; ++i) last_.add(0, kFeatureSpread);
}

Dqn::Last Dqn::seen(const ArmState& state, const Arm::Features& x) const {
  Last last{};
  const auto size = static_cast<std::size_t>(prior_.size());
  std::copy_n(x.begin(), size, last.begin());
  last[size] = state.coupled ? 1 : 0;
  const DqnBody::Features body = body_.features(DqnBody::input(state, x));
  for (int i = 0; i < DqnBody::kFeatures; ++i)
    last[size + 1 + static_cast<std::size_t>(i)] = body[i];
  return last;
}

/// Less what there is without any arm: that is nobody's choice.
double Dqn::cost(const ArmState& state, const Arm& arm) const {
  Arm::Features rest = arm.x;
  std::fill_n(rest.begin(), prior_.own, 0.0);
  return to_go(state, arm) - last_.value(seen(state, rest));
}

ArmLearner::Choice Dqn::choose(const ArmState& state, std::span<const Arm> arms, int greedy,
                               Random&, std::span<double>) {
  return {least_bound(arms, greedy, [&](const Arm& arm) {
    const Last last = seen(state, arm.x);
    return last_.value(last) - kWidth * last_.deviation(last);
  })};
}

double Dqn::target(const Outcome& outcome) const {
  if (!outcome.state.coupled) return outcome.cost;
  return outcome.cost + kDiscount * std::max(0.0, to_go(outcome.next_state, outcome.best_next));
}

void Dqn::learn(const Outcome& outcome) {
  if (outcome.disturbed) return;
  last_.learn(seen(outcome.state, outcome.arm.x), target(outcome), outcome.noise);
}

void Dqn::save(ByteWriter& out) const {
  body_.save(out);
  last_.save(out);
}

void Dqn::load(ByteReader& in) {
  body_.load(in);
  last_.load(in);
}

void Dqn::start_from(const DqnBody& body, std::span<const double> mean,
                     std::span<const double> spread) {
  body_ = body;
  for (int i = 0; i < last_size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    last_.weights().restart(i, mean[at], spread[at] * spread[at]);
  }
}

}  // namespace flyball
