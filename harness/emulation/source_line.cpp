#include "emulation/source_line.h"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <link.h>
#include <map>
#include <memory>

namespace deformdiff::emulation {
namespace {

struct Place {
  std::uintptr_t address;
  std::string module;
  std::uintptr_t offset = 0;
};

int look_at_module(dl_phdr_info* info, std::size_t, void* result) {
  Place& place = *static_cast<Place*>(result);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    if (header.p_type != PT_LOAD || place.address < begin || place.address >= begin + header.p_memsz)
      continue;
    // The program itself has no name.
    place.module = info->dlpi_name[0] != '\0' ? std::string(info->dlpi_name)
                                              : std::filesystem::read_symlink("/proc/self/exe").string();
    place.offset = place.address - info->dlpi_addr;
    return 1;
  }
  return 0;
}

std::string without_folder(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

/// "file.cuh:12", or empty.
std::string ask_addr2line(const Place& place) {
  if (place.module.find('\'') != std::string::npos) return "";
  char offset[32];
  std::snprintf(offset, sizeof offset, "%lx", static_cast<unsigned long>(place.offset));
  const std::string command = "addr2line -e '" + place.module + "' 0x" + offset + " 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  char line[1024];
  if (pipe == nullptr || std::fgets(line, sizeof line, pipe.get()) == nullptr) return "";
  std::string text = line;
  text = text.substr(0, text.find_first_of(" \n"));
  return text.find('?') == std::string::npos ? without_folder(text) : "";
}

}  // namespace

std::string source_line(const void* site) {
  static std::map<const void*, std::string> known;
  auto [entry, is_new] = known.try_emplace(site);
  if (!is_new) return entry->second;
  // Back from the return address into the call.
  Place place{reinterpret_cast<std::uintptr_t>(site) - 1, "", 0};
  dl_iterate_phdr(look_at_module, &place);
  entry->second = ask_addr2line(place);
  if (entry->second.empty()) {
    char offset[32];
    std::snprintf(offset, sizeof offset, "+0x%lx", static_cast<unsigned long>(place.offset));
    entry->second = without_folder(place.module) + offset;
  }
  return entry->second;
}

}  // namespace deformdiff::emulation
