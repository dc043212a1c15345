// A network file, and one inference of what was read.

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

#include "kernels/dnn/model_file.h"
#include "kernels/dnn/network.h"
#include "kernels/dnn/workspace.h"
#include "kernels/ops/operators.h"
#include "tests/fuzz/checksum.h"
#include "tests/fuzz/input_file.h"

namespace flyball::fuzz {
namespace {

/// The smallest networks that have everything: the shipped ones are 322 kB, which takes a fuzzer
/// long to get through.
std::vector<std::uint8_t> tiny_network(NetworkSpec::Kind kind) {
  NetworkSpec spec;
  spec.kind = kind;
  spec.image_size = 4;
  spec.image_channels = 1;
  spec.classes = 2;
  spec.widths = 2;
  spec.layers = {
      {.channels = 4, .pool = LayerSpec::Pool::kMax, .pool_window = 2, .pool_stride = 2}};
  const Model model = seeded_model(spec, 1);
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("flyball-fuzz-" + std::to_string(getpid()));
  if (const std::string error = save_model(model, path); !error.empty()) {
    broken("a seeded model can be saved", error);
  }
  std::ifstream file(path, std::ios::binary);
  std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  std::filesystem::remove(path);
  return bytes;
}

void infer(const Model& model) {
  // Larger ones are right too, but take too long here.
  const NetworkLayout layout(model.spec);
  if (layout.parameters > 50'000 ||
      layout.multiplications(model.spec, model.spec.widths - 1) > 500'000) {
    return;
  }
  Network network(model);
  network.set_operators(&reference_operators());  // the only ones that the sanitizers see
  Workspace workspace(model.spec);
  const std::vector<float> image(network.image_values(), 0.5f);
  std::vector<float> logits(static_cast<std::size_t>(model.spec.classes));
  for (int width = 0; width < network.widths(); ++width) {
    for (const Precision precision : {Precision::kFloat32, Precision::kInt8}) {
      if (precision == Precision::kInt8 && !network.has_int8()) continue;
      const InferStatus status = network.infer(workspace, width, precision, image, logits);
      if (!status) broken("what loads can be run", status.message());
    }
  }
}

}  // namespace
}  // namespace flyball::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flyball;
  static fuzz::InputFile file;
  file.set({data, size});
  const LoadedModel loaded = load_model(file.path());
  if (loaded.model) {
    fuzz::infer(*loaded.model);
  } else if (loaded.error.find("; ") == std::string::npos) {
    fuzz::broken("an error says what, why and what to do", loaded.error);
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  using namespace flyball;
  static const std::vector<std::uint8_t> seeds[] = {
      fuzz::tiny_network(NetworkSpec::Kind::kGrouped),
      fuzz::tiny_network(NetworkSpec::Kind::kSlimmable)};
  // What does not begin as a network gets nowhere: begin with one that does.
  if (size < 16 || data[0] != 'F') {
    const std::vector<std::uint8_t>& from = seeds[seed % 2];
    if (from.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
    std::copy(from.begin(), from.end(), data);
    return from.size();
  }
  return fuzz::mutate_sealed(data, size, max_size, seed / 2);
}
