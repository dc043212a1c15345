#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>

#include <sstream>

#include "env/config/yaml.h"
#include "env/config/yaml_nodes.h"
#include "kernels/base/read_file.h"

// The one way to a YAML file, whoever reads it.

namespace flyball {
namespace {

// 1 MiB is some hundred times the largest file that comes with Flyball.
constexpr std::size_t kMaxFileBytes = 1 << 20;

/// Counts documents. YAML::LoadAll would too, but never ends, and fills the memory, where one begins
/// with a comma: yaml-cpp sees an empty document there, time and again.
class DocumentCounter final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    ++count;
    last = mark;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

  int count = 0;
  YAML::Mark last;
};

}  // namespace

YAML::Node read_document(const std::string& path, const std::string& remedy) {
  const std::string bytes = read_file(path, kMaxFileBytes);
  YAML::Node document;
  DocumentCounter documents;
  try {
    document.reset(YAML::Load(bytes));
    std::istringstream stream(bytes);
    YAML::Parser parser(stream);
    while (documents.count < 2 && parser.HandleNextDocument(documents)) {
    }
  } catch (const YAML::Exception& e) {
    input_error(place(path, e.mark), "not valid YAML: " + shown(e.msg), "mend the syntax here");
  }
  if (documents.count > 1) {
    input_error(place(path, documents.last), "a second YAML document begins here",
                "keep one: remove a '---', or a comma outside of brackets");
  }
  if (document.IsNull()) input_error(path, "the file is empty", remedy);
  if (!document.IsMap()) {
    input_error(place(path, document.Mark()),
                "the file must be a mapping, but is " + kind_of(document), remedy);
  }
  return document;
}

YamlMap YamlMap::file(const std::string& path, int schema,
                      std::initializer_list<std::string_view> known) {
  YamlMap root(path, read_document(path, fmt::format("begin it with 'schema: {}'", schema)));
  // A merge may be what should bring the schema.
  if (root.has("<<")) root.reject("<<", kNoMerging, kInsteadOfMerging);
  // Before the keys: a file of another version should be told so, not about a key.
  if (!root.has("schema")) {
    root.reject("schema", "is missing", fmt::format("add 'schema: {}'", schema));
  }
  const YAML::Node found = root.value("schema");
  if (is_quoted(found)) {
    root.reject("schema", "must be a number without quotes, but is " + kind_of(found),
                fmt::format("write 'schema: {}'", schema));
  }
  if (parse_number<int>(found) != schema) {
    root.reject(
        "schema", fmt::format("is {}, but this program reads version {}", kind_of(found), schema),
        fmt::format("convert the file and set 'schema: {}', or use the program it is for", schema));
  }
  root.check_keys(known, /*is_root=*/true);
  return root;
}

std::string YamlMap::description(const std::string& path) {
  const YamlMap root(path, read_document(path, "begin it with 'schema: 1'"));
  return root.text_or("description", "");
}

}  // namespace flyball
