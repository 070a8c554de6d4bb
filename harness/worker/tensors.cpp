#include "worker/tensors.h"

#include "worker/guarded_allocator.h"

#include <array>
#include <cstring>
#include <utility>

#include <ATen/Functions.h>
#include <c10/core/TensorImpl.h>

namespace deformdiff::worker {
namespace {

constexpr std::array<std::pair<DType, at::ScalarType>, 7> kTypes{{
    {DType::kFloat32, at::kFloat},
    {DType::kFloat64, at::kDouble},
    {DType::kFloat16, at::kHalf},
    {DType::kBFloat16, at::kBFloat16},
    {DType::kInt64, at::kLong},
    {DType::kBool, at::kBool},
    {DType::kUInt8, at::kByte},
}};

std::int64_t stored_elements(const Tensor& tensor) {
  return static_cast<std::int64_t>(tensor.storage().size() / size_of(tensor.dtype()));
}

template <typename Word>
std::int64_t first_equal(std::span<const std::byte> bytes, Word wanted) {
  for (std::size_t at = 0; at + sizeof(Word) <= bytes.size(); at += sizeof(Word)) {
    Word word;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    if (word == wanted) return static_cast<std::int64_t>(at / sizeof(Word));
  }
  return -1;
}

}  // namespace

at::ScalarType scalar_type_of(DType dtype) {
  for (const auto& [ours, theirs] : kTypes) {
    if (ours == dtype) return theirs;
  }
  fail_check("dtype is listed", __FILE__, __LINE__);
}

std::optional<DType> dtype_of(at::ScalarType type) {
  for (const auto& [ours, theirs] : kTypes) {
    if (theirs == type) return ours;
  }
  return std::nullopt;
}

at::Tensor view_of(c10::Storage storage, const Tensor& tensor) {
  at::Tensor view =
      at::detail::make_tensor<c10::TensorImpl>(std::move(storage), c10::DispatchKeySet(c10::DispatchKey::CPU),
                                               c10::scalarTypeToTypeMeta(scalar_type_of(tensor.dtype())));
  view.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.shape(), tensor.strides(), tensor.offset());
  return view;
}

at::Tensor copy_on(c10::Device device, const Tensor& tensor) {
  const std::int64_t elements = stored_elements(tensor);
  at::Tensor host = at::empty({elements}, scalar_type_of(tensor.dtype()));
  if (elements > 0) std::memcpy(host.mutable_data_ptr(), tensor.storage().data(), tensor.storage().size());
  return host.to(device).as_strided(tensor.shape(), tensor.strides(), tensor.offset());
}

bool is_view_of(const at::Tensor& view, const Tensor& tensor) {
  return view.scalar_type() == scalar_type_of(tensor.dtype()) && view.sizes() == tensor.shape() &&
         view.strides() == tensor.strides() && view.storage_offset() == tensor.offset();
}

bool is_copy_of(const at::Tensor& copy, const Tensor& tensor) {
  const std::span<const std::byte> expected = tensor.storage();
  if (!is_view_of(copy, tensor) || copy.storage().nbytes() != expected.size()) return false;
  if (expected.empty()) return true;
  if (copy.device().is_cpu())
    return std::memcmp(copy.storage().data(), expected.data(), expected.size()) == 0;
  const at::Tensor host = copy.as_strided({stored_elements(tensor)}, {1}, 0).cpu();
  return std::memcmp(host.const_data_ptr(), expected.data(), expected.size()) == 0;
}

Tensor from_torch(const at::Tensor& tensor) {
  // The memory of a lazily negated tensor holds other numbers than the tensor, that of a lazy zero none.
  const at::Tensor real = tensor._is_zerotensor() ? tensor.clone() : tensor.resolve_neg();
  const at::Tensor host = (real.device().is_cpu() ? real : real.cpu()).contiguous();
  const auto* first = static_cast<const std::byte*>(host.const_data_ptr());
  Tensor::Bytes bytes(first, first + host.nbytes());
  return Tensor(dtype_of(host.scalar_type()).value(), host.sizes().vec(), std::move(bytes));
}

std::int64_t first_poisoned(const Tensor& contiguous) {
  switch (size_of(contiguous.dtype())) {
    case 2:
      return first_equal<std::uint16_t>(contiguous.storage(), kPoison);
    case 4:
      return first_equal<std::uint32_t>(contiguous.storage(), kPoison * 0x0001'0001U);
    case 8:
      return first_equal<std::uint64_t>(contiguous.storage(), kPoison * std::uint64_t{0x0001'0001'0001'0001});
    default:
      return -1;  // shorter patterns are ordinary values
  }
}

}  // namespace deformdiff::worker
