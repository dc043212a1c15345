#include "tests/fuzz/yaml_mutator.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "tests/fuzz/checksum.h"
#include "tests/fuzz/yaml_tree.h"

namespace flyball::fuzz {
namespace {

using Random = std::minstd_rand;

std::size_t below(Random& random, std::size_t count) { return random() % count; }

/// Where readers have their limits, and the words that they know.
constexpr const char* kWords[] = {"0",
                                  "1",
                                  "-1",
                                  "2",
                                  "16",
                                  "17",
                                  "100",
                                  "0.5",
                                  "1e-300",
                                  "1e308",
                                  "1e309",
                                  "-0",
                                  "nan",
                                  ".inf",
                                  "9223372036854775807",
                                  "9223372036854775808",
                                  "0x10",
                                  "+5",
                                  "true",
                                  "false",
                                  "auto",
                                  "big",
                                  "little",
                                  "cpu",
                                  "gpu",
                                  "network",
                                  "plain_load",
                                  "mixed",
                                  "one_cluster",
                                  "periodic",
                                  "bursty",
                                  "poisson",
                                  "step_down",
                                  "cap",
                                  "critical",
                                  "fp32",
                                  "int8",
                                  "<<",
                                  "schema",
                                  "dynamic_cnn",
                                  "a/b.flynet",
                                  "0-1",
                                  "deadbeef",
                                  "\x1b[2J",
                                  "\xc2\x9b",
                                  "two\nlines",
                                  ""};

YamlTree scalar(Random& random) {
  YamlTree tree;
  tree.kind = YamlTree::Kind::kScalar;
  switch (below(random, 4)) {
    case 0:  // a number of any size
      tree.text = std::to_string(std::pow(10.0, static_cast<double>(below(random, 20)) - 6) *
                                 static_cast<double>(below(random, 1000)));
      break;
    case 1:
      tree.text = std::to_string(below(random, 2000));
      break;
    default:
      tree.text = kWords[below(random, std::size(kWords))];
      tree.quoted = below(random, 8) == 0;
  }
  return tree;
}

void collect(YamlTree& tree, std::vector<YamlTree*>& branches, std::vector<YamlTree*>& keys) {
  branches.push_back(&tree);
  for (YamlTree& key : tree.keys) keys.push_back(&key);
  for (YamlTree& item : tree.items) collect(item, branches, keys);
}

void mutate(YamlTree& root, Random& random) {
  std::vector<YamlTree*> branches, keys;
  collect(root, branches, keys);
  YamlTree& at = *branches[below(random, branches.size())];
  const YamlTree other = *branches[below(random, branches.size())];
  const bool map = at.kind == YamlTree::Kind::kMap;
  switch (below(random, 8)) {
    case 0:  // another branch of the file in this one's place
      at = other;
      return;
    case 1:  // one item less
      if (at.items.empty()) break;
      {
        const auto i = static_cast<std::ptrdiff_t>(below(random, at.items.size()));
        at.items.erase(at.items.begin() + i);
        if (map) at.keys.erase(at.keys.begin() + i);
      }
      return;
    case 2:  // one more, or many
      if (at.items.empty()) break;
      {
        const std::size_t i = below(random, at.items.size());
        const YamlTree item = at.items[i], key = map ? at.keys[i] : YamlTree{};
        const std::size_t copies = below(random, 8) == 0 ? 40 : 1;
        for (std::size_t n = 0; n < copies && at.items.size() < 100; ++n) {
          at.items.push_back(item);
          if (!map) continue;
          at.keys.push_back(key);
          if (below(random, 4) != 0) at.keys.back().text += std::to_string(n);
        }
      }
      return;
    case 3:  // a key of another mapping
      if (keys.empty()) break;
      {
        const YamlTree key =
            below(random, 8) == 0 ? scalar(random) : *keys[below(random, keys.size())];
        *keys[below(random, keys.size())] = key;
      }
      return;
    case 4:  // a key more
      if (!map || keys.empty()) break;
      {
        const YamlTree key = *keys[below(random, keys.size())];
        at.keys.push_back(key);
        at.items.push_back(below(random, 2) == 0 ? other : scalar(random));
      }
      return;
    default:
      break;
  }
  // A value, by far the commonest thing to be wrong.
  std::vector<YamlTree*> scalars;
  std::copy_if(branches.begin(), branches.end(), std::back_inserter(scalars),
               [](const YamlTree* tree) { return tree->kind == YamlTree::Kind::kScalar; });
  (scalars.empty() ? at : *scalars[below(random, scalars.size())]) = scalar(random);
}

}  // namespace

std::size_t mutate_yaml(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  Random random(seed);
  if (below(random, 8) != 0) {
    std::optional<YamlTree> tree = parse_yaml({reinterpret_cast<const char*>(data), size});
    if (tree) {
      for (std::size_t n = 1 + below(random, 3); n > 0; --n) mutate(*tree, random);
      const std::string text = to_yaml(*tree);
      if (text.size() <= max_size) {
        std::memcpy(data, text.data(), text.size());
        return text.size();
      }
    }
  }
  return LLVMFuzzerMutate(data, size, max_size);
}

}  // namespace flyball::fuzz
