#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "governor/report/report.h"
#include "governor/report/ticks.h"
#include "kernels/base/control_character.h"

namespace flyball::report {
namespace {

constexpr double kWidth = 800, kHeight = 500, kTop = 44, kBottom = 62, kFont = 13;
constexpr std::array<const char*, 8> kColours{"#0067b1", "#c05a00", "#00795f", "#a6337f",
                                              "#7a5c00", "#5b4bc4", "#3f6f1f", "#9b3b2f"};
constexpr std::array<const char*, 7> kCellColours{"#08519c", "#4a90c8", "#a9cfe8", "#e4e4e0",
                                                  "#f7c08a", "#e07b2e", "#9a3c00"};

const char* colour_of(int index) {
  if (index == -1) return "#1c2126";
  if (index == -2) return "#0b6b3a";
  if (index == -3) return "#b3261e";
  if (index >= kFirstCellColour)
    return kCellColours[static_cast<std::size_t>(index - kFirstCellColour) % kCellColours.size()];
  return kColours[static_cast<std::size_t>(index) % kColours.size()];
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

/// Widths of a sans-serif are not known here; most letters take less than this.
double text_width(const std::string& text, double size = kFont) {
  const auto letters = std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; });
  return 0.56 * size * static_cast<double>(letters);
}

struct Scale {
  double from, to, at_from, at_to;
  bool log;
  double place(double value) const {
    const auto in = [&](double v) { return log ? std::log10(v) : v; };
    return at_from + (at_to - at_from) * (in(value)-in(from)) / (in(to)-in(from));
  }
};

/// The least and the greatest value, and some air.
std::array<double, 2> range_of(const Figure& figure, const Axis& axis, bool vertical) {
  if (!axis.categories.empty()) return {-0.5, static_cast<double>(axis.categories.size()) - 0.5};
  double least = INFINITY, most = -INFINITY;
  for (const Series& one : figure.series) {
    const auto lists = vertical ? std::array{&one.y, &one.y_lo, &one.y_hi}
                                : std::array{&one.x, &one.x_lo, &one.x_hi};
    for (const std::vector<double>* list : lists) {
      for (const double value : *list) {
        if (!std::isfinite(value) || (axis.log && value <= 0)) continue;
        least = std::min(least, value);
        most = std::max(most, value);
      }
    }
  }
  if (!(least <= most)) return {axis.log ? 1.0 : 0.0, axis.log ? 10.0 : 1.0};
  if (axis.log) return {least / 1.15, most * 1.15};
  double air = 0.06 * (most - least);
  if (air <= 0) air = most != 0 ? 0.1 * std::abs(most) : 1;
  if (least >= 0 && least < most / 2) return {least < air ? -0.02 * most : 0, most + air};
  return {least - air, most + air};
}

class Picture {
 public:
  explicit Picture(const Figure& figure) : figure_(figure) {
    const double legend = legend_width();
    double left = 60;
    for (const std::string& name : figure.y.categories)
      left = std::max(left, 30 + text_width(name));
    left = std::min(left, 240.0);
    const auto x = range_of(figure, figure.x, false), y = range_of(figure, figure.y, true);
    // Names that would run into each other.
    double wide = 0, longest = 0;
    for (const std::string& name : figure.x.categories) {
      wide += text_width(name) + 8;
      longest = std::max(longest, text_width(name));
    }
    tilted_ = wide > kWidth - 20 - legend - left;
    const double below = tilted_ ? kBottom + std::min(0.8 * longest, 120.0) : kBottom;
    x_ = {x[0], x[1], left, kWidth - 20 - legend, figure.x.log};
    y_ = {y[0], y[1], kHeight - below, kTop, figure.y.log};
  }

  std::string draw() {
    put("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:g} {1:g}\" width=\"{0:g}\" "
        "height=\"{1:g}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"{2:g}\" "
        "role=\"img\">\n<title>{3}</title>\n<desc>{4}</desc>\n",
        kWidth, kHeight, kFont, escaped(figure_.title), escaped(figure_.caption));
    put("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
    text(x_.at_from, 24, "start", figure_.title, "font-weight=\"bold\" font-size=\"16\"");
    axes();
    put("<clipPath id=\"plot\"><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
        "height=\"{:.1f}\"/></clipPath>\n<g clip-path=\"url(#plot)\">\n",
        x_.at_from, y_.at_to, x_.at_to - x_.at_from, y_.at_from - y_.at_to);
    for (const Series& one : figure_.series)
      if (one.kind != Series::Kind::kPoints) line(one);
    for (const Series& one : figure_.series)
      if (one.kind == Series::Kind::kPoints) points(one);
    put("</g>\n");
    for (const Series& one : figure_.series)
      if (one.labelled && !one.x.empty()) label(one);
    legend();
    put("</svg>\n");
    return std::move(out_);
  }

 private:
  template <class... T>
  void put(fmt::format_string<T...> format, T&&... values) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<T>(values)...);
  }

  void text(double x, double y, const char* anchor, const std::string& what,
            const std::string& more = "fill=\"#1c2126\"") {
    put("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" {}>{}</text>\n", x, y, anchor, more,
        escaped(what));
  }

  void rule(double x1, double y1, double x2, double y2, const char* colour) {
    put("<path d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\" stroke=\"{}\" fill=\"none\"/>\n", x1, y1, x2, y2,
        colour);
  }

  static std::string title_of(const Axis& axis) {
    return axis.unit.empty() ? axis.label : axis.label + ", " + axis.unit;
  }

  void axes() {
    const double bottom = y_.at_from, left = x_.at_from;
    for (const Tick& tick : ticks(figure_.x, x_.from, x_.to, 8)) {
      const double x = x_.place(tick.value);
      rule(x, bottom, x, y_.at_to, "#e3e6e9");
      if (tilted_)
        text(x + 4, bottom + 14, "end", tick.text,
             fmt::format("fill=\"#1c2126\" transform=\"rotate(-60 {:.1f} {:.1f})\"", x + 4,
                         bottom + 14));
      else
        text(x, bottom + 18, "middle", tick.text);
    }
    for (const Tick& tick : ticks(figure_.y, y_.from, y_.to, 7)) {
      const double y = y_.place(tick.value);
      rule(left, y, x_.at_to, y, "#e3e6e9");
      text(left - 8, y + 4, "end", tick.text);
    }
    rule(left, bottom, x_.at_to, bottom, "#5b6570");
    rule(left, bottom, left, y_.at_to, "#5b6570");
    text((left + x_.at_to) / 2, kHeight - 18, "middle", title_of(figure_.x));
    if (figure_.y.categories.empty()) {
      const double middle = (bottom + y_.at_to) / 2;
      text(16, middle, "middle", title_of(figure_.y),
           fmt::format("fill=\"#1c2126\" transform=\"rotate(-90 16 {:.1f})\"", middle));
    }
  }

  bool drawable(double x, double y) const {
    return std::isfinite(x) && std::isfinite(y) && (!x_.log || x > 0) && (!y_.log || y > 0);
  }

  void line(const Series& one) {
    put("<path fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"{} d=\"", colour_of(one.colour),
        one.dashed ? "1.3" : "2", one.dashed ? " stroke-dasharray=\"6 4\"" : "");
    bool pen_down = false;
    double last_y = 0;
    for (std::size_t i = 0; i < one.y.size(); ++i) {
      if (!drawable(one.x[i], one.y[i])) {
        pen_down = false;
        continue;
      }
      const double x = x_.place(one.x[i]), y = y_.place(one.y[i]);
      if (pen_down && one.kind == Series::Kind::kSteps) put("L{:.1f} {:.1f}", x, last_y);
      put("{}{:.1f} {:.1f}", pen_down ? 'L' : 'M', x, y);
      pen_down = true;
      last_y = y;
    }
    put("\"/>\n");
  }

  void points(const Series& one) {
    const double radius = figure_.points() > 300 ? 2.5 : 4.5;
    for (std::size_t i = 0; i < one.y.size(); ++i) {
      if (!drawable(one.x[i], one.y[i])) continue;
      const double x = x_.place(one.x[i]), y = y_.place(one.y[i]);
      if (one.cell) {
        const double left = x_.place(one.x[i] - 0.5), top = y_.place(one.y[i] + 0.5);
        put("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\" "
            "stroke=\"white\"/>\n",
            left, top, 2 * (x - left), 2 * (y - top), colour_of(one.colour));
        continue;
      }
      const auto whisker = [&](const std::vector<double>& lo, const std::vector<double>& hi,
                               bool vertical) {
        if (i >= lo.size() || !std::isfinite(lo[i]) || !std::isfinite(hi[i])) return;
        if (vertical)
          rule(x, y_.place(lo[i]), x, y_.place(hi[i]), colour_of(one.colour));
        else
          rule(x_.place(lo[i]), y, x_.place(hi[i]), y, colour_of(one.colour));
      };
      whisker(one.x_lo, one.x_hi, false);
      whisker(one.y_lo, one.y_hi, true);
      mark(one, x, y, one.colour == -2 ? 7 : radius);
    }
  }

  /// Shapes differ too, for those who do not see the colours.
  void mark(const Series& one, double x, double y, double r) {
    const std::string paint =
        one.dashed ? fmt::format("fill=\"white\" stroke=\"{}\"", colour_of(one.colour))
                   : fmt::format("fill=\"{}\"", colour_of(one.colour));
    const int shape = one.cell ? 1 : one.colour < 0 ? 0 : (one.colour + one.colour / 8) % 4;
    if (one.colour == -3)
      put("<path d=\"M{:.1f} {:.1f}l{r:g} {r:g}m0 -{r:g}l-{r:g} {r:g}\" stroke=\"{}\"/>\n", x - r,
          y - r, colour_of(one.colour), fmt::arg("r", 2 * r));
    else if (shape == 0)
      put("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:g}\" {}/>\n", x, y, r, paint);
    else if (shape == 1)
      put("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{r:g}\" height=\"{r:g}\" {}/>\n", x - 0.9 * r,
          y - 0.9 * r, paint, fmt::arg("r", 1.8 * r));
    else if (shape == 2)
      put("<path d=\"M{:.1f} {:.1f}l{:.1f} {:.1f}h{:.1f}z\" {}/>\n", x, y - 1.2 * r, 1.1 * r, 2 * r,
          -2.2 * r, paint);
    else
      put("<path d=\"M{:.1f} {:.1f}l{r:g} {r:g}l-{r:g} {r:g}l-{r:g} -{r:g}z\" {}/>\n", x,
          y - 1.25 * r, paint, fmt::arg("r", 1.25 * r));
  }

  /// Beside its point, above or below the lines of its interval, where no other label is; a seam keeps
  /// it readable over what it crosses.
  void label(const Series& one) {
    if (!drawable(one.x[0], one.y[0])) return;
    const double x = x_.place(one.x[0]), y = y_.place(one.y[0]), width = text_width(one.name);
    for (const double dy : {-9.0, 9.0, -23.0, 23.0, -37.0, 37.0}) {
      for (const bool right : {true, false}) {
        const double begin = right ? x + 9 : x - 9 - width, middle = y + dy;
        const bool inside = begin >= x_.at_from && begin + width <= x_.at_to &&
                            middle - 8 >= y_.at_to && middle + 8 <= y_.at_from;
        const bool taken = std::ranges::any_of(labels_, [&](const std::array<double, 3>& other) {
          return begin < other[1] && begin + width > other[0] && std::abs(middle - other[2]) < 14;
        });
        if (!inside || taken) continue;
        labels_.push_back({begin, begin + width, middle});
        text(right ? begin : x - 9, middle + 4, right ? "start" : "end", one.name,
             fmt::format("fill=\"{}\" stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\"",
                         colour_of(one.colour)));
        return;
      }
    }
  }

  double legend_width() const {
    double width = 0;
    for (const Series& one : figure_.series) width = std::max(width, 34 + text_width(one.name));
    return std::min(width, 260.0);
  }

  void legend() {
    double y = y_.at_to + 8;
    const double x = x_.at_to + 14;
    for (const Series& one : figure_.series) {
      if (one.kind == Series::Kind::kPoints)
        mark(one, x + 8, y - 4, 4.5);
      else
        put("<path d=\"M{:.1f} {:.1f}h18\" stroke=\"{}\" stroke-width=\"2\"{}/>\n", x, y - 4,
            colour_of(one.colour), one.dashed ? " stroke-dasharray=\"6 4\"" : "");
      text(x + 24, y, "start", one.name);
      y += 18;
    }
  }

  const Figure& figure_;
  Scale x_, y_;
  bool tilted_ = false;
  std::string out_{kPictureStart};
  std::vector<std::array<double, 3>> labels_;  ///< begin, end, middle of each that is there
};

}  // namespace

std::string svg_of(const Figure& figure) { return Picture(figure).draw(); }

}  // namespace flyball::report
