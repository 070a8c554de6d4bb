# Libraries from the distribution's packages. harness/setup.sh installs them.
include_guard()
include(GoogleTest)

find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(CLI11 REQUIRED)
find_package(pugixml REQUIRED)
find_package(Threads REQUIRED)
if(DEFORMDIFF_STATIC)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
endif()
find_package(SQLiteCpp REQUIRED)
find_package(rapidcheck REQUIRED)
if(BUILD_TESTING)
  find_package(GTest REQUIRED)
endif()

# A program for other machines than this one needs nothing of it but the C and the C++ library. That one is not
# linked in: what is in the archive of a new compiler needs a newer C library than the program does.
if(DEFORMDIFF_STATIC)
  target_compile_definitions(deformdiff_flags INTERFACE FMT_HEADER_ONLY)
  set_target_properties(pugixml::pugixml PROPERTIES INTERFACE_LINK_LIBRARIES pugixml::static)
endif()
