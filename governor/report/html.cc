#include <fmt/format.h>

#include <cmath>

#include "governor/record/json_text.h"
#include "governor/report/page_assets.h"
#include "governor/report/report.h"

namespace flyball::report {
namespace {

/// Writes JSON; what stands in a page must not end the element that it stands in, so text has no '<'.
class JsonWriter {
 public:
  void key(std::string_view name) {
    separate();
    append_json(text_, name);
    text_ += ':';
    begun_ = false;
  }
  void value(std::string_view text) {
    separate();
    const std::size_t begin = text_.size();
    append_json(text_, text);
    for (std::size_t at = begin; (at = text_.find_first_of("<>&", at)) != std::string::npos;) {
      const std::string escaped = fmt::format("\\u{:04x}", text_[at]);
      text_.replace(at, 1, escaped);
      at += escaped.size();
    }
  }
  void value(double number) {
    separate();
    append_json(text_, number, 7);
  }
  void value(bool is) {
    separate();
    text_ += is ? "true" : "false";
  }
  void open(char bracket) {
    separate();
    text_ += bracket;
    begun_ = false;
  }
  void close(char bracket) {
    text_ += bracket;
    begun_ = true;
  }
  template <class T>
  void list(std::string_view name, const std::vector<T>& values) {
    key(name);
    open('[');
    for (const T& one : values) value(one);
    close(']');
  }
  std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (begun_) text_ += ',';
    begun_ = true;
  }
  std::string text_;
  bool begun_ = false;
};

void write(JsonWriter& out, std::string_view name, const Axis& axis) {
  out.key(name);
  out.open('{');
  out.key("label"), out.value(axis.label);
  out.key("unit"), out.value(axis.unit);
  out.key("log"), out.value(axis.log);
  if (!axis.categories.empty()) out.list("categories", axis.categories);
  out.close('}');
}

const char* kind_name(Series::Kind kind) {
  constexpr const char* kNames[] = {"line", "steps", "points"};
  return kNames[static_cast<std::size_t>(kind)];
}

/// Series that are measured at the same times have them once: those of series `x_of`.
void write(JsonWriter& out, const Figure& figure, std::size_t index) {
  const Series& series = figure.series[index];
  out.open('{');
  out.key("name"), out.value(series.name);
  out.key("kind"), out.value(std::string_view(kind_name(series.kind)));
  out.key("colour"), out.value(static_cast<double>(series.colour));
  if (series.dashed) out.key("dashed"), out.value(true);
  if (series.labelled) out.key("labelled"), out.value(true);
  if (series.cell) out.key("cell"), out.value(true);
  std::size_t same = 0;
  while (same < index && figure.series[same].x != series.x) ++same;
  if (same < index) {
    out.key("x_of"), out.value(static_cast<double>(same));
  } else {
    out.list("x", series.x);
  }
  out.list("y", series.y);
  for (const auto& [name, values] : {std::pair("x_lo", &series.x_lo),
                                     {"x_hi", &series.x_hi},
                                     {"y_lo", &series.y_lo},
                                     {"y_hi", &series.y_hi}})
    if (!values->empty()) out.list(name, *values);
  if (!series.text.empty()) out.list("text", series.text);
  out.close('}');
}

void write(JsonWriter& out, const Figure& figure) {
  out.open('{');
  out.key("name"), out.value(figure.name);
  out.key("title"), out.value(figure.title);
  out.key("caption"), out.value(figure.caption);
  if (!figure.timeline.empty()) out.key("timeline"), out.value(figure.timeline);
  write(out, "x", figure.x);
  write(out, "y", figure.y);
  out.key("series");
  out.open('[');
  for (std::size_t i = 0; i < figure.series.size(); ++i) write(out, figure, i);
  out.close(']');
  out.close('}');
}

void write(JsonWriter& out, const Table& table) {
  out.open('{');
  out.key("title"), out.value(table.title);
  out.list("columns", table.columns);
  out.list("units", table.units);
  out.list("marks", table.marks);
  out.key("bar_column"), out.value(static_cast<double>(table.bar_column));
  out.key("note"), out.value(table.note);
  out.key("rows");
  out.open('[');
  for (const std::vector<Cell>& row : table.rows) {
    out.open('[');
    for (const Cell& cell : row) {
      out.open('[');
      out.value(cell.text);
      out.value(cell.value);
      out.close(']');
    }
    out.close(']');
  }
  out.close(']');
  out.close('}');
}

std::string json_of(const Report& report, std::string_view made_by) {
  JsonWriter out;
  out.open('{');
  out.key("schema"), out.value(1.0);
  out.key("made_by"), out.value(made_by);
  out.key("sections");
  out.open('[');
  for (const Section& section : report.sections) {
    out.open('{');
    out.key("title"), out.value(section.title);
    out.key("verdict"), out.value(section.verdict);
    out.list("notes", section.notes);
    out.key("tables");
    out.open('[');
    for (const Table& table : section.tables) write(out, table);
    out.close(']');
    out.key("figures");
    out.open('[');
    for (const Figure& figure : section.figures) write(out, figure);
    out.close(']');
    out.close('}');
  }
  out.close(']');
  out.close('}');
  return out.take();
}

}  // namespace

std::string html_of(const Report& report, std::string_view made_by) {
  std::string page(kPageStart);
  page +=
      "<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      // No network, whatever stands in the data; no icon to ask for either.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n<title>Flyball report</title>\n";
  page += fmt::format("<style>\n{}\n{}</style>\n</head>\n<body>\n", kLibraryStyle, kPageStyle);
  page +=
      "<noscript><p>The plots and tables are drawn by a script in this file, which this browser "
      "does not run.</p></noscript>\n<main id=\"report\"></main>\n";
  page += "<script type=\"application/json\" id=\"data\">";
  page += json_of(report, made_by);
  page += "</script>\n";
  page += fmt::format(
      "<script>\n/* uPlot, https://github.com/leeoniya/uPlot\n\n{}\n*/\n{}\n</script>\n",
      kLibraryLicence, kLibraryScript);
  page += fmt::format("<script>\n{}</script>\n</body>\n</html>\n", kPageScript);
  return page;
}

}  // namespace flyball::report
