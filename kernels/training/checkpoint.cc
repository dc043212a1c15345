#include "kernels/training/checkpoint.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "kernels/base/crc32c.h"
#include "kernels/base/whole_file.h"

namespace flyball {
namespace {

constexpr std::string_view kMagic = "FLYBTRN\n";
constexpr std::uint32_t kVersion = 2;
// Parameters, the best of them and AdamW's two moments: four times a model file's 64 MB.
constexpr std::size_t kMaxBytes = 256u << 20;
static_assert(std::endian::native == std::endian::little, "values are copied as they are");

/// Calls field(value) for every number and list behind the recipe.
template <class AnyCheckpoint, class Field>
void for_each_value(AnyCheckpoint& c, Field&& field) {
  field(c.phase), field(c.epoch), field(c.step), field(c.stale), field(c.best_pct);
  field(c.loss_sum), field(c.hits), field(c.optimiser_steps);
  field(c.parameters), field(c.best), field(c.learning);
}

std::string recipe_text(const Recipe& recipe) {
  std::string text;
  for_each_field(recipe, [&](const char* name, const auto& value, const char*) {
    text += fmt::format("{}={}\n", name, value);
  });
  return text;
}

bool parse_recipe(std::string_view text, Recipe& recipe) {
  bool good = true;
  for_each_field(recipe, [&](const char* name, auto& value, const char*) {
    const std::string start = std::string(name) + "=";
    const std::size_t end = text.find('\n');
    if (!good || !text.starts_with(start) || end == text.npos) return void(good = false);
    const std::string_view field = text.substr(start.size(), end - start.size());
    text.remove_prefix(end + 1);
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>)
      value = field;
    else
      good = std::from_chars(field.data(), field.data() + field.size(), value).ptr ==
             field.data() + field.size();
  });
  return good && text.empty();
}

class Reader {
 public:
  explicit Reader(std::string_view data) : data_(data) {}
  bool good() const { return good_; }
  bool at_end() const { return data_.empty(); }
  void bytes(void* to, std::size_t count) {
    if (count > data_.size()) return void(good_ = false);
    if (count) std::memcpy(to, data_.data(), count);
    data_.remove_prefix(count);
  }
  template <class Number>
  void operator()(Number& value) {
    bytes(&value, sizeof value);
  }
  template <class Value>
  void operator()(std::vector<Value>& list) {
    std::uint64_t length = 0;
    (*this)(length);
    if (length > data_.size() / sizeof(Value)) return void(good_ = false);
    list.resize(length);
    bytes(list.data(), length * sizeof(Value));
  }

 private:
  std::string_view data_;
  bool good_ = true;
};

}  // namespace

std::string write_checkpoint(const TrainingCheckpoint& checkpoint, const std::string& path) {
  std::string out(kMagic);
  const auto bytes = [&out](const void* from, std::size_t count) {
    out.append(static_cast<const char*>(from), count);
  };
  bytes(&kVersion, sizeof kVersion);
  const std::string recipe = recipe_text(checkpoint.recipe);
  const std::uint64_t recipe_bytes = recipe.size();
  bytes(&recipe_bytes, sizeof recipe_bytes);
  out += recipe;
  for_each_value(checkpoint, [&](const auto& value) {
    if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>) {
      bytes(&value, sizeof value);
    } else {
      const std::uint64_t length = value.size();
      bytes(&length, sizeof length);
      bytes(value.data(), length * sizeof value[0]);
    }
  });
  const std::uint32_t crc = crc32c(out);
  bytes(&crc, sizeof crc);

  const FileStatus status = replace_file(path, out);
  return status ? "" : fmt::format("{}: {}; choose a place that can be written", path, status.why);
}

std::string read_checkpoint(const std::string& path, TrainingCheckpoint& checkpoint) {
  const auto refuse = [&path](std::string_view why) {
    return fmt::format("{}: {}; give a checkpoint of flyball-torch train-network", path, why);
  };
  std::string data;
  if (const FileStatus status = read_whole_file(path, kMaxBytes, data); !status)
    return refuse(status.why);
  if (!data.starts_with(kMagic)) return refuse("it is no checkpoint");
  if (data.size() < kMagic.size() + 8) return refuse("it is truncated");
  std::uint32_t crc = 0, version = 0;
  std::memcpy(&version, data.data() + kMagic.size(), sizeof version);
  if (version != kVersion)
    return refuse(fmt::format("its version is {}, this program reads {}", version, kVersion));
  std::memcpy(&crc, data.data() + data.size() - 4, sizeof crc);
  const std::string_view body(data.data(), data.size() - 4);
  if (crc32c(body) != crc) return refuse("its checksum is wrong: it is damaged or truncated");

  Reader in(body.substr(kMagic.size() + 4));
  TrainingCheckpoint read;
  std::vector<char> recipe;
  in(recipe);
  for_each_value(read, [&](auto& value) { in(value); });
  if (!in.good() || !in.at_end() || !parse_recipe({recipe.data(), recipe.size()}, read.recipe) ||
      !read.recipe.problem().empty())
    return refuse("its content makes no sense");
  checkpoint = std::move(read);
  return {};
}

}  // namespace flyball
