// The worker's end of the channel to its parent.
#pragma once

#include "core/wire/frame.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace deformdiff::worker {

class Channel {
 public:
  /// Takes the channel from the standard descriptors, so that nothing printed can disturb it: standard
  /// input is empty from here on, and standard output is standard error. Throws InputError if this process
  /// was not started by a parent that speaks the protocol.
  Channel();

  /// Waits for the next message; false when the parent has closed the channel.
  bool receive();

  /// The message received last; valid until the next receive().
  std::string_view header() const { return header_; }
  std::span<const std::byte> data() const;

  void send(const wire::Message& message);

  /// Ends this process and all below it as soon as the parent is gone or closes the channel, whatever else
  /// goes on in it.
  void end_with_parent() const;

 private:
  bool map_data();

  int input_ = -1;
  int output_ = -1;
  std::string header_;
  std::string inline_data_;
  std::size_t data_size_ = 0;
  const std::byte* mapping_ = nullptr;
  std::size_t mapped_ = 0;
  std::size_t shared_offset_ = 0;
};

}  // namespace deformdiff::worker
