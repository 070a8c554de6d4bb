# Libraries from the distribution's packages. harness/setup.sh installs them.
include_guard()
include(GoogleTest)

find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(CLI11 REQUIRED)
find_package(pugixml REQUIRED)
find_package(Threads REQUIRED)
find_package(SQLiteCpp REQUIRED)
find_package(rapidcheck REQUIRED)
find_package(GTest REQUIRED)
