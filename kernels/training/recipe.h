#pragma once

#include <cstdint>
#include <string>

#include "kernels/dnn/network_spec.h"

namespace flyball {

/// All that decides what comes out of a training: the same recipe gives the same bytes on the same
/// machine.
struct Recipe {
  std::string kind = "grouped";
  std::string data = "procedural";
  int images = 60000;   ///< training images to draw, or to use of a folder's; 0: all it has
  int epochs = 4;       ///< of the first group (grouped), or in all (slimmable)
  int more_epochs = 1;  ///< for each further group: what is left is harder to learn
  int batch = 50;
  double lr = 0.004;  ///< of AdamW, at the top of the schedule
  double weight_decay = 0.02;
  double smoothing = 0.05;  ///< of the labels
  double alone = 1;         ///< weight of the loss of what a new group says alone
  int shift = 2;            ///< pixels
  int cutout = 0;           ///< side of the patch, pixels; 0: none
  int patience = 0;         ///< epochs without a better validation; 0: no early stop
  int threads = 1;
  std::uint64_t seed = 1;

  bool operator==(const Recipe&) const = default;
  /// The command that runs it, without the files.
  std::string command() const;
  /// Empty, or what is wrong with it: "--batch 0: ...".
  std::string problem() const;
  NetworkSpec spec() const { return kind == "grouped" ? modified_alexnet() : slimmable_alexnet(); }
};

/// Calls `field(name, value, help)` for each field, in one order. One list serves the options, the
/// command and the checkpoint.
template <class AnyRecipe, class Field>
void for_each_field(AnyRecipe& r, Field&& field) {
  field("kind", r.kind, "grouped (incremental) or slimmable");
  field("data", r.data, "procedural, or cifar10:DIR with the binary version of CIFAR-10");
  field("images", r.images, "training images; 0 is all that a folder has");
  field("epochs", r.epochs, "passes over them: for the first group, or in all (slimmable)");
  field("more-epochs", r.more_epochs, "grouped: added for each further group");
  field("batch", r.batch, "images per step");
  field("lr", r.lr, "learning rate of AdamW at its top; a warm-up, then a cosine down to 0");
  field("weight-decay", r.weight_decay, "of AdamW");
  field("smoothing", r.smoothing, "of the labels, 0 to below 1");
  field("alone", r.alone, "grouped: weight of a new group's own loss beside that of the sum");
  field("shift", r.shift, "augmentation: up to so many pixels each way");
  field("cutout", r.cutout, "augmentation: side of a blanked patch in pixels, 0 for none");
  field("patience", r.patience,
        "stop after so many epochs without a better validation; 0 is never");
  field("threads", r.threads, "of LibTorch; one gives the same bytes every time");
  field("seed", r.seed, "of weights, data and order");
}

}  // namespace flyball
