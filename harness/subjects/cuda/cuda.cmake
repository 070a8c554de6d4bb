# libdeformdiff_cuda.so: the operator's CUDA kernel, loaded by a worker when it is first asked for. Nothing else
# needs CUDA.
include(CheckLanguage)
if(DEFORMDIFF_CUDA STREQUAL "OFF")
  return()
endif()
check_language(CUDA)
find_library(DEFORMDIFF_TORCH_CUDA torch_cuda PATHS ${DEFORMDIFF_TORCH_DIR}/lib NO_DEFAULT_PATH)
find_library(DEFORMDIFF_C10_CUDA c10_cuda PATHS ${DEFORMDIFF_TORCH_DIR}/lib NO_DEFAULT_PATH)
if(NOT CMAKE_CUDA_COMPILER OR NOT DEFORMDIFF_TORCH_CUDA OR NOT DEFORMDIFF_C10_CUDA)
  if(DEFORMDIFF_CUDA STREQUAL "ON")
    message(FATAL_ERROR "DEFORMDIFF_CUDA is ON, but nvcc or LibTorch's CUDA libraries are missing")
  endif()
  message(STATUS "No nvcc, or LibTorch without CUDA: the CUDA operator is left out")
  return()
endif()

# CMake 3.25 knows no C++20 for nvcc 13; the kernels need no more than C++17.
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_ARCHITECTURES 80 90)
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)

add_library(deformdiff_cuda_kernels OBJECT ms_deform_attn/cuda/kernels.cu)
set_target_properties(deformdiff_cuda_kernels PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_include_directories(deformdiff_cuda_kernels PRIVATE ${PROJECT_SOURCE_DIR}/harness)

add_library(deformdiff_cuda SHARED
  ms_deform_attn/arguments.cpp
  ms_deform_attn/cuda/op.cpp
  ms_deform_attn/cuda/task_of.cpp
  $<TARGET_OBJECTS:deformdiff_cuda_kernels>)
set_target_properties(deformdiff_cuda PROPERTIES
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}
  LINKER_LANGUAGE CXX)
target_link_libraries(deformdiff_cuda PRIVATE deformdiff_flags deformdiff::torch
  ${DEFORMDIFF_TORCH_CUDA} ${DEFORMDIFF_C10_CUDA} CUDA::cudart)
# The operator is registered with torch_cuda's device, though it calls nothing of it.
target_link_options(deformdiff_cuda PRIVATE -Wl,--no-as-needed)

set_source_files_properties(cuda/subjects.cpp PROPERTIES COMPILE_DEFINITIONS DEFORMDIFF_HAS_CUDA)
add_dependencies(deformdiff_subjects deformdiff_cuda)
