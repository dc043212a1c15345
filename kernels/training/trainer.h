#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/data/dataset.h"
#include "kernels/dnn/model.h"
#include "kernels/training/checkpoint.h"
#include "kernels/training/recipe.h"

namespace flyball {

/// Where a training is, for who watches it.
struct TrainingReport {
  int phase = 0, phases = 1;   ///< the tower being trained (grouped); 0 of 1 (slimmable)
  int epoch = 0, epochs = 1;   ///< of the phase
  int step = 0, steps = 1;     ///< of the epoch; step == steps: the epoch has ended
  double done = 0;             ///< of all steps of all phases, 0 to 1
  double loss = 0;             ///< mean of the epoch so far
  double accuracy_pct = 0;     ///< likewise, of the widest width that learns, on augmented images
  double validation_pct = -1;  ///< on images held out, at the end of an epoch; else -1
};

/// Trains a dynamic-width network.
///
/// Grouped: the incremental method of Xun et al. ("Incremental training and group convolution
/// pruning for runtime DNN performance scaling on heterogeneous embedded platforms", MLCAD 2019).
/// Tower 1 is trained alone, then frozen: weights, scales, biases and statistics. Tower 2 is added
/// and trained, with a class bias of its own, on the sum of both; and so on. What the frozen towers
/// say is computed by the very Network that will run them, so the narrow widths keep their bits,
/// and the tower in training learns to correct exactly what it will meet. A new tower starts as a
/// copy of the last one and learns from the loss of the sum plus that of what it says alone: the
/// errors that are left teach a blank tower next to nothing (0.1 points where the copy brought 12),
/// and each restart of the learning rate makes it another enough to be worth adding up (Huang et
/// al., "Snapshot ensembles", ICLR 2017).
///
/// Slimmable (Yu et al., "Slimmable neural networks", ICLR 2019): one tower, each step the sum of
/// the losses of all widths, each with batch normalisation of its own.
///
/// Order and augmentation of the images depend on the seed, the epoch and the image alone, so a
/// training that was interrupted and resumed ends as one that was not.
class Trainer {
 public:
  /// `train` must outlive it. The last tenth of it, at most 2000 images, is held out for
  /// validation.
  Trainer(Recipe recipe, const Dataset& train);
  ~Trainer();

  /// Called after each step; false interrupts.
  using Listener = std::function<bool(const TrainingReport&)>;
  /// True when the training is over, false when it was interrupted and may be continued.
  bool run(const Listener& listener);

  const Recipe& recipe() const;
  int phases_done() const;
  /// The network so far; towers not yet begun are zero, the one in training is as it stands.
  Model model() const;

  TrainingCheckpoint checkpoint() const;
  /// Goes on from a checkpoint of the same recipe. Empty, or why it does not fit.
  std::string restore(const TrainingCheckpoint& checkpoint);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flyball
