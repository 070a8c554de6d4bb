#include "reports/html/markup.h"

#include "reports/valid_text.h"

#include <array>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

namespace deformdiff::html {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : valid_text(text)) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return fmt::format("{:.9g}", value);
}

std::string coordinate(double value) {
  std::string text = fmt::format("{:.2f}", value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string data_uri(std::string_view json) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string uri = "data:application/json;base64,";
  for (std::size_t i = 0; i < json.size(); i += 3) {
    const std::string_view bytes = json.substr(i, 3);
    std::uint32_t group = 0;
    for (std::size_t byte = 0; byte < 3; ++byte) {
      group = group << 8 | (byte < bytes.size() ? static_cast<std::uint8_t>(bytes[byte]) : 0U);
    }
    for (std::size_t digit = 0; digit < 4; ++digit) {
      uri += digit <= bytes.size() ? kDigits[group >> (18 - 6 * digit) & 63U] : '=';
    }
  }
  return uri;
}

std::string section(std::string_view id, std::string_view heading, std::string_view content) {
  if (content.empty()) return "";
  return fmt::format(
      "<section id=\"{0}\" aria-labelledby=\"{0}-h\">\n<h2 id=\"{0}-h\">{1}</h2>\n{2}</section>\n", id,
      escaped(heading), content);
}

std::string drawing(double width, double height, std::string_view title, std::string_view description,
                    std::string_view content) {
  return fmt::format(
      "<svg role=\"img\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\"><title>{2}</title>"
      "<desc>{3}</desc>{4}</svg>",
      coordinate(width), coordinate(height), escaped(title), escaped(description), content);
}

std::string figure(std::string_view drawing, std::string_view caption) {
  const std::string below = caption.empty() ? "" : fmt::format("<figcaption>{}</figcaption>", caption);
  return fmt::format("<figure>{}{}</figure>\n", drawing, below);
}

std::string table(std::string_view caption, std::string_view head, std::string_view body,
                  std::string_view style) {
  return fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"table\"><table class=\"{}\">"
      "<caption>{}</caption>\n<thead><tr>{}</tr></thead>\n{}</table></div>\n",
      style, caption, head, body);
}

std::string heading_cell(std::string_view text, bool numbers) {
  return fmt::format("<th scope=\"col\"{}>{}</th>", numbers ? " class=\"n\"" : "", escaped(text));
}

std::string svg_text(double x, double y, std::string_view style, std::string_view text) {
  return fmt::format("<text x=\"{}\" y=\"{}\" class=\"{}\">{}</text>", coordinate(x), coordinate(y), style,
                     escaped(text));
}

}  // namespace deformdiff::html
