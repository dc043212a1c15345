#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kernels/data/dataset.h"

namespace flyball {

/// Ten kinds of things drawn at random, 32 x 32 pixels in colour: the data set that needs no
/// download. Each picture has one thing of random proportions, colours, size, place, tilt and
/// direction before a blotchy background with clutter in the same shapes and colours as things are
/// made of, often partly hidden, in slanting light and noise. Colours say nothing of the kind.
///
/// Image `index` of a seed and split is the same bits on every machine, whichever others are made.
/// The test set is one and the same for every seed: accuracies can be compared.
inline constexpr int kProceduralSize = 32;
inline constexpr std::array<const char*, 10> kProceduralClasses = {
    "house", "tree", "fish", "boat", "car", "flower", "mug", "key", "star", "mushroom"};

enum class Split : std::uint64_t { kTrain = 1, kTest = 2 };

/// Draws one picture into [row][column][channel] and returns its class: index % 10, so that any
/// multiple of ten images is balanced.
int draw_procedural(std::uint64_t seed, Split split, std::uint64_t index,
                    std::span<std::uint8_t> pixels);

Dataset procedural_training_set(std::size_t images, std::uint64_t seed);
Dataset procedural_test_set(std::size_t images = 5000);

}  // namespace flyball
