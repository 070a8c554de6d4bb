# The one place for compiler flags. Every target of ours links deformdiff_flags.
include_guard()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

add_library(deformdiff_flags INTERFACE)
target_include_directories(deformdiff_flags INTERFACE ${PROJECT_SOURCE_DIR}/harness ${PROJECT_SOURCE_DIR})
# No contraction and no fast-math anywhere: the bounds are derived for IEEE 754 arithmetic as written.
target_compile_options(deformdiff_flags INTERFACE -Wall -Wextra -Wno-unknown-pragmas -ffp-contract=off)
target_compile_definitions(deformdiff_flags INTERFACE DEFORMDIFF_VERSION="${PROJECT_VERSION}")
if(DEFORMDIFF_WERROR)
  target_compile_options(deformdiff_flags INTERFACE -Werror)
endif()
if(DEFORMDIFF_SANITIZE)
  target_compile_options(deformdiff_flags INTERFACE -fsanitize=${DEFORMDIFF_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(deformdiff_flags INTERFACE -fsanitize=${DEFORMDIFF_SANITIZE})
endif()

# deformdiff_library(NAME SOURCES... ): a static library of ours.
function(deformdiff_library name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PUBLIC deformdiff_flags)
endfunction()

# deformdiff_test(NAME SOURCES... LIBRARIES... [WHOLE]): a GoogleTest program; each of its tests is a ctest test, or all
# together where it is WHOLE: LibTorch takes longer to load than they do. It is optimised little, but for precompiled
# headers of optimised code: it runs once, and what it calls is optimised.
function(deformdiff_test name)
  cmake_parse_arguments(ARG "WHOLE" "" "SOURCES;LIBRARIES;LABELS" ${ARGN})
  if(NOT BUILD_TESTING)
    return()
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} deformdiff_flags GTest::gtest GTest::gtest_main)
  set(precompiled $<BOOL:$<TARGET_PROPERTY:PRECOMPILE_HEADERS_REUSE_FROM>>)
  target_compile_options(${name} PRIVATE $<$<AND:$<CONFIG:Release>,$<NOT:${precompiled}>>:-O1>)
  if(ARG_WHOLE)
    add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
  else()
    gtest_discover_tests(${name} PROPERTIES LABELS "${ARG_LABELS}" DISCOVERY_TIMEOUT 60)
  endif()
endfunction()

# deformdiff_command_test(NAME LABEL ARGUMENTS...): a run of the program, which must exit 0.
function(deformdiff_command_test name label)
  add_test(NAME ${name} COMMAND deformdiff ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 600)
endfunction()
