# LibTorch's CPU part as deformdiff::torch, taken by hand from DEFORMDIFF_TORCH_DIR: its own CMake package
# would need nvcc even for programs that use no CUDA. Without LibTorch the worker is left out.
include_guard()

find_library(DEFORMDIFF_TORCH_CPU torch_cpu PATHS ${DEFORMDIFF_TORCH_DIR}/lib NO_DEFAULT_PATH)
find_library(DEFORMDIFF_C10 c10 PATHS ${DEFORMDIFF_TORCH_DIR}/lib NO_DEFAULT_PATH)
if(NOT DEFORMDIFF_TORCH_CPU OR NOT DEFORMDIFF_C10)
  message(STATUS "No LibTorch in ${DEFORMDIFF_TORCH_DIR}: deformdiff-worker and the implementations are left out "
                 "(run harness/setup.sh, or set DEFORMDIFF_TORCH_DIR)")
  return()
endif()

add_library(deformdiff_torch INTERFACE)
add_library(deformdiff::torch ALIAS deformdiff_torch)
target_include_directories(deformdiff_torch SYSTEM INTERFACE
  ${DEFORMDIFF_TORCH_DIR}/include ${DEFORMDIFF_TORCH_DIR}/include/torch/csrc/api/include)
# RecordFunction and others have members under NDEBUG: always match the release library's layout.
# Its include folder holds a newer fmt than the distribution's, without the library: header-only there.
target_compile_definitions(deformdiff_torch INTERFACE NDEBUG FMT_HEADER_ONLY)
target_link_libraries(deformdiff_torch INTERFACE ${DEFORMDIFF_TORCH_CPU} ${DEFORMDIFF_C10})
# at::parallel_for is a template over LibTorch's OpenMP threads: without the flag it runs on one.
target_compile_options(deformdiff_torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
target_link_options(deformdiff_torch INTERFACE -fopenmp)
# DT_RPATH, not DT_RUNPATH: it is searched for the libraries of operators loaded later as well. Where the
# nvidia wheels lie beside torch, torch's own RPATH finds them; the toolkit is in the loader's path.
target_link_options(deformdiff_torch INTERFACE
  -Wl,--disable-new-dtags -Wl,-rpath,${DEFORMDIFF_TORCH_DIR}/lib -Wl,--allow-shlib-undefined)

# Where LibTorch is that of a wheel, the Python that it was installed for: for tests of scripts that need it.
file(REAL_PATH ${DEFORMDIFF_TORCH_DIR} torch_folder)
cmake_path(SET torch_prefix NORMALIZE ${torch_folder}/../../../..)
set(DEFORMDIFF_PYTHON ${torch_prefix}/bin/python CACHE FILEPATH "Python with PyTorch and numpy, for tests of scripts")
