#include "kernels/training/trainer.h"

#include <fmt/format.h>
#include <torch/nn/functional/loss.h>
#include <torch/optim/adamw.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <span>
#include <utility>

#include "kernels/dnn/network.h"
#include "kernels/training/augmentation.h"
#include "kernels/training/tower.h"

namespace flyball {
namespace {

constexpr double kWarmUp = 0.1;  // share of the steps in which the learning rate rises
constexpr std::uint64_t kOrderKey = 1, kAugmentKey = 2;

torch::Tensor as_images(std::span<float> values, int size, int channels) {
  const std::int64_t n = values.size() / (std::size_t(size) * size * channels);
  return torch::from_blob(values.data(), {n, size, size, channels}).permute({0, 3, 1, 2});
}

}  // namespace

struct Trainer::State {
  Recipe recipe;
  const Dataset& data;
  NetworkSpec spec;
  NetworkLayout layout;
  std::size_t trained, held_out;  // images
  std::vector<float> parameters;  // of the phases that are over
  // Where it is.
  int phase = 0, epoch = 0, step = 0;
  double loss_sum = 0, hits = 0;
  int stale = 0;  // epochs without a better validation
  double best_pct = -1;
  std::vector<float> best;  // all parameters, at the best validation of the phase
  // Of the phase.
  std::shared_ptr<Tower> tower;
  std::unique_ptr<torch::optim::AdamW> optimiser;
  std::optional<Network> frozen;
  Workspace workspace;
  // Of a step.
  std::vector<std::uint32_t> order;
  std::vector<float> images, evidence;
  std::vector<std::int64_t> labels;

  State(Recipe recipe_in, const Dataset& train);
  bool grouped() const { return spec.kind == NetworkSpec::Kind::kGrouped; }
  int phases() const { return spec.towers(); }
  int epochs(int of_phase) const { return recipe.epochs + of_phase * recipe.more_epochs; }
  int epochs() const { return epochs(phase); }
  int steps() const { return static_cast<int>(trained / recipe.batch); }
  double done() const;
  void begin_phase();
  void end_phase();
  void begin_epoch();
  void load_batch(std::span<const std::uint32_t> indices, bool augmented);
  torch::Tensor frozen_evidence();
  void learn();
  double validate();
  bool judge(double validation_pct);
  void write_tower(std::vector<float>& into) const;
  std::vector<torch::Tensor> tensors();
};

Trainer::State::State(Recipe recipe_in, const Dataset& train)
    : recipe(std::move(recipe_in)),
      data(train),
      spec(recipe.spec()),
      layout(spec),
      held_out(std::min<std::size_t>(2000, train.size() / 10)),
      parameters(layout.parameters),
      workspace(spec) {
  trained = train.size() - held_out;
  torch::set_num_threads(recipe.threads);
  begin_phase();
}

double Trainer::State::done() const {
  int before = 0, all = 0;  // epochs
  for (int p = 0; p < phases(); ++p) {
    if (p < phase) before += epochs(p);
    all += epochs(p);
  }
  return (before + epoch + double(step) / steps()) / all;
}

void Trainer::State::begin_phase() {
  torch::manual_seed(recipe.seed * 64 + phase);
  const std::shared_ptr<Tower> last = std::exchange(tower, std::make_shared<Tower>(spec));
  if (last) tower->copy_from(*last);
  const auto groups = [this] {
    using torch::optim::AdamWOptions;
    std::vector<torch::optim::OptimizerParamGroup> all;
    const double decay[] = {recipe.weight_decay, 0};
    const std::vector<torch::Tensor> tensors[] = {tower->weights(), tower->others()};
    for (int i = 0; i < 2; ++i) {
      all.emplace_back(tensors[i]);
      all.back().set_options(
          std::make_unique<AdamWOptions>(AdamWOptions(recipe.lr).weight_decay(decay[i])));
    }
    return all;
  };
  optimiser = std::make_unique<torch::optim::AdamW>(groups());
  frozen.reset();
  if (phase == 0) return;
  Model before;
  before.spec = spec;
  before.parameters = parameters;
  torch::NoGradGuard no_grad;
  const auto bias = before.parameters.begin() + layout.class_bias;
  tower->class_bias().copy_(torch::from_blob(&bias[(phase - 1) * spec.classes], {1, spec.classes}));
  std::fill(bias, before.parameters.end(), 0.0f);
  frozen.emplace(before);
}

void Trainer::State::write_tower(std::vector<float>& into) const {
  tower->write(std::span(into).subspan(phase * layout.tower_parameters, layout.tower_parameters));
  const torch::Tensor bias = tower->class_bias().detach().contiguous();
  std::copy_n(bias.data_ptr<float>(), bias.numel(),
              into.begin() + layout.class_bias + phase * spec.classes);
}

void Trainer::State::end_phase() {
  if (best.empty())
    write_tower(parameters);
  else
    parameters = best;
  ++phase;
  epoch = stale = 0;
  best_pct = -1;
  best.clear();
  if (phase < phases()) begin_phase();
}

void Trainer::State::begin_epoch() {
  order.resize(trained);
  for (std::size_t i = 0; i < trained; ++i) order[i] = static_cast<std::uint32_t>(i);
  DataRandom random(recipe.seed, kOrderKey, phase, epoch);
  for (std::size_t i = trained - 1; i > 0; --i)
    std::swap(order[i], order[random.below(static_cast<std::uint32_t>(i + 1))]);
}

void Trainer::State::load_batch(std::span<const std::uint32_t> indices, bool augmented) {
  const std::size_t values = data.image_values();
  images.resize(indices.size() * values);
  labels.resize(indices.size());
  const Augmentation how{.flip = true, .shift = recipe.shift, .cutout = recipe.cutout};
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const std::span<float> to = std::span(images).subspan(i * values, values);
    if (augmented)
      augment(how, data.image(indices[i]), data.image_size, data.channels,
              DataRandom(recipe.seed, kAugmentKey, phase, epoch, indices[i]), to);
    else
      normalise(data.image(indices[i]), to);
    labels[i] = data.labels[indices[i]];
  }
}

/// Of the images of the batch, [image][class]; undefined when no tower is frozen.
torch::Tensor Trainer::State::frozen_evidence() {
  if (!frozen) return {};
  const std::size_t values = data.image_values();
  evidence.resize(labels.size() * spec.classes);
  for (std::size_t i = 0; i < labels.size(); ++i)
    frozen->infer(workspace, phase - 1, Precision::kFloat32,
                  std::span(images).subspan(i * values, values),
                  std::span(evidence).subspan(i * spec.classes, spec.classes));
  return torch::from_blob(evidence.data(),
                          {static_cast<std::int64_t>(labels.size()), spec.classes});
}

void Trainer::State::learn() {
  const int total = steps() * epochs(), now = epoch * steps() + step;
  const double at = (now + 0.5) / total;
  const double rate = at < kWarmUp
                          ? at / kWarmUp
                          : 0.5 * (1 + std::cos(std::numbers::pi * (at - kWarmUp) / (1 - kWarmUp)));
  for (auto& group : optimiser->param_groups()) group.options().set_lr(recipe.lr * rate);

  load_batch(std::span(order).subspan(std::size_t(step) * recipe.batch, recipe.batch), true);
  const torch::Tensor x = as_images(images, data.image_size, data.channels);
  const torch::Tensor y = torch::from_blob(labels.data(), {recipe.batch}, torch::kInt64);
  const torch::Tensor before = frozen_evidence();
  namespace F = torch::nn::functional;
  const auto how = F::CrossEntropyFuncOptions().label_smoothing(recipe.smoothing);
  tower->train();
  optimiser->zero_grad();
  torch::Tensor logits;
  for (int width = grouped() ? phase : 0; width < (grouped() ? phase + 1 : spec.widths); ++width) {
    const torch::Tensor alone = tower->forward(x, width);
    logits = before.defined() ? alone + before : alone;
    torch::Tensor loss = F::cross_entropy(logits, y, how);
    if (width == (grouped() ? phase : spec.widths - 1)) loss_sum += loss.item<double>();
    if (before.defined() && recipe.alone > 0)
      loss = loss + recipe.alone * F::cross_entropy(alone, y, how);
    loss.backward();
  }
  optimiser->step();
  hits += logits.argmax(1).eq(y).sum().item<double>();
}

double Trainer::State::validate() {
  torch::NoGradGuard no_grad;
  tower->eval();
  std::size_t right = 0;
  std::vector<std::uint32_t> indices;
  for (std::size_t begin = trained; begin < data.size(); begin += indices.size()) {
    indices.clear();
    for (std::size_t i = begin; i < data.size() && i < begin + recipe.batch; ++i)
      indices.push_back(static_cast<std::uint32_t>(i));
    load_batch(indices, false);
    torch::Tensor logits = tower->forward(as_images(images, data.image_size, data.channels),
                                          grouped() ? phase : spec.widths - 1);
    const torch::Tensor before = frozen_evidence();
    if (before.defined()) logits = logits + before;
    const torch::Tensor guess = logits.argmax(1);
    for (std::size_t i = 0; i < labels.size(); ++i)
      right += guess[i].item<std::int64_t>() == labels[i];
  }
  return held_out ? 100.0 * right / held_out : -1;
}

/// Whether the phase goes on after an epoch with this validation.
bool Trainer::State::judge(double validation_pct) {
  if (recipe.patience == 0) return true;
  if (validation_pct > best_pct) {
    best_pct = validation_pct;
    best = parameters;
    write_tower(best);
    stale = 0;
    return true;
  }
  return ++stale < recipe.patience;
}

/// All that the tower and its optimiser have learned, the latter's moments made where they are
/// missing still.
std::vector<torch::Tensor> Trainer::State::tensors() {
  std::vector<torch::Tensor> all = tower->buffers();
  for (auto& group : optimiser->param_groups())
    for (torch::Tensor& parameter : group.params()) {
      auto& slot = optimiser->state()[c10::guts::to_string(parameter.unsafeGetTensorImpl())];
      if (!slot) {
        auto fresh = std::make_unique<torch::optim::AdamWParamState>();
        fresh->step(0);
        fresh->exp_avg(torch::zeros_like(parameter));
        fresh->exp_avg_sq(torch::zeros_like(parameter));
        slot = std::move(fresh);
      }
      auto& moments = static_cast<torch::optim::AdamWParamState&>(*slot);
      all.insert(all.end(), {parameter.detach(), moments.exp_avg(), moments.exp_avg_sq()});
    }
  return all;
}

Trainer::Trainer(Recipe recipe, const Dataset& train)
    : state_(std::make_unique<State>(std::move(recipe), train)) {}
Trainer::~Trainer() = default;

bool Trainer::run(const Listener& listener) {
  State& s = *state_;
  while (s.phase < s.phases()) {
    s.begin_epoch();
    while (s.step < s.steps()) {
      s.learn();
      ++s.step;
      TrainingReport report{s.phase, s.phases(), s.epoch, s.epochs(), s.step, s.steps()};
      report.done = s.done();
      report.loss = s.loss_sum / s.step;
      report.accuracy_pct = 100.0 * s.hits / (double(s.step) * s.recipe.batch);
      const bool epoch_over = s.step == s.steps();
      if (epoch_over) {
        report.validation_pct = s.validate();
        const bool go_on = s.judge(report.validation_pct);
        s.step = 0;
        s.loss_sum = s.hits = 0;
        ++s.epoch;
        if (!go_on || s.epoch == s.epochs()) s.end_phase();
      }
      if (!listener(report)) return false;
      if (epoch_over) break;
    }
  }
  return true;
}

TrainingCheckpoint Trainer::checkpoint() const {
  State& s = *state_;
  TrainingCheckpoint c;
  c.recipe = s.recipe;
  c.phase = s.phase, c.epoch = s.epoch, c.step = s.step, c.stale = s.stale;
  c.best_pct = s.best_pct, c.loss_sum = s.loss_sum, c.hits = s.hits;
  c.parameters = s.parameters;
  c.best = s.best;
  if (s.phase == s.phases()) return c;
  c.optimiser_steps = std::uint64_t(s.epoch) * s.steps() + s.step;
  for (const torch::Tensor& tensor : s.tensors()) {
    const torch::Tensor dense = tensor.contiguous();
    const float* const values = dense.data_ptr<float>();
    c.learning.insert(c.learning.end(), values, values + dense.numel());
  }
  return c;
}

std::string Trainer::restore(const TrainingCheckpoint& c) {
  State& s = *state_;
  const std::string refusal = "checkpoint: it does not fit this network or data; start afresh";
  if (!(c.recipe == s.recipe) || c.parameters.size() != s.layout.parameters ||
      (!c.best.empty() && c.best.size() != s.layout.parameters) ||
      std::cmp_greater(c.phase, s.phases()) ||
      std::cmp_greater_equal(c.epoch, s.epochs(static_cast<int>(c.phase))) ||
      std::cmp_greater_equal(c.step, s.steps()))
    return refusal;
  s.parameters = c.parameters;
  s.best = c.best;
  s.phase = c.phase, s.epoch = c.epoch, s.step = c.step, s.stale = c.stale;
  s.best_pct = c.best_pct, s.loss_sum = c.loss_sum, s.hits = c.hits;
  if (s.phase == s.phases()) return {};
  s.begin_phase();
  torch::NoGradGuard no_grad;
  const std::vector<torch::Tensor> tensors = s.tensors();
  std::int64_t values = 0;
  for (const torch::Tensor& tensor : tensors) values += tensor.numel();
  if (values != std::int64_t(c.learning.size())) return refusal;
  const float* from = c.learning.data();
  for (torch::Tensor tensor : tensors) {
    tensor.copy_(torch::from_blob(const_cast<float*>(from), tensor.sizes()));
    from += tensor.numel();
  }
  for (auto& [key, slot] : s.optimiser->state())
    static_cast<torch::optim::AdamWParamState&>(*slot).step(std::int64_t(c.optimiser_steps));
  return {};
}

const Recipe& Trainer::recipe() const { return state_->recipe; }
int Trainer::phases_done() const { return state_->phase; }

Model Trainer::model() const {
  Model model;
  model.spec = state_->spec;
  model.parameters = state_->parameters;
  if (state_->phase < state_->phases()) state_->write_tower(model.parameters);
  return model;
}

}  // namespace flyball
