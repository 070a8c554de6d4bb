# Who may include whom (the table of README.md's folders): fails with each line that breaks the rule.
# Run as: cmake -D ROOT=<source folder> -P check_includes.cmake
set(torch "torch/|ATen/|c10/|cuda")
set(ours "core|blocks|engine|catalog|recorded|check|subjects|faults|emulation|worker|cli|oracles|generators|reports")

# allow(FOLDER OURS FOREIGN): of our folders, FOLDER may include OURS; of libraries, not FOREIGN. Both are regexes.
set(broken "")
function(allow folder allowed forbidden_libraries)
  file(GLOB_RECURSE files ${ROOT}/${folder}/*.h ${ROOT}/${folder}/*.cpp ${ROOT}/${folder}/*.cu ${ROOT}/${folder}/*.cuh)
  foreach(file IN LISTS files)
    if(file MATCHES "_test\\.(h|cpp)$")
      continue()
    endif()
    file(STRINGS ${file} lines REGEX "^#include")
    foreach(line IN LISTS lines)
      if(line MATCHES "[<\"](${ours})/" AND NOT line MATCHES "[<\"](${allowed})/")
        string(APPEND broken "${file}: ${line}\n")
      elseif(forbidden_libraries AND line MATCHES "[<\"](${forbidden_libraries})")
        string(APPEND broken "${file}: ${line}\n")
      endif()
    endforeach()
  endforeach()
  set(broken "${broken}" PARENT_SCOPE)
endfunction()

# The parent's libraries, each on those before it.
allow(harness/core "core" "${torch}|Eigen|rapidcheck|CLI")
allow(harness/blocks "core|blocks" "${torch}|Eigen|rapidcheck|CLI")
allow(harness/engine "core|engine" "${torch}|Eigen|rapidcheck|CLI")
allow(oracles "core|blocks|oracles" "${torch}|rapidcheck|CLI")
allow(oracles/arithmetic "core|oracles/arithmetic" "${torch}|rapidcheck|CLI")
allow(generators "core|blocks|generators" "${torch}|Eigen|CLI")
allow(generators/common "core|blocks|generators/common" "${torch}|Eigen|CLI")
allow(generators/shrink "core|blocks|generators/common|generators/shrink" "${torch}|Eigen|CLI")
allow(reports "core|blocks|engine|reports" "${torch}|Eigen|rapidcheck|CLI")
allow(harness/catalog "core|blocks|engine|oracles|generators|catalog" "${torch}|Eigen|rapidcheck|CLI")
allow(harness/recorded "core|blocks|engine|catalog|reports|recorded" "${torch}|Eigen|rapidcheck|CLI")
allow(harness/check "core|blocks|engine|generators|catalog|reports|recorded|check" "${torch}|Eigen|rapidcheck|CLI")
allow(harness/cli "core|blocks|engine|catalog|recorded|check|oracles|generators|reports|cli" "${torch}|Eigen|rapidcheck")
# The worker's.
# Of emulation, what is for other people's operators (include/, torch_buffers.cpp, test/) sees LibTorch; the rest is
# not linked with it.
allow(harness/emulation "emulation" "Eigen|rapidcheck|CLI")
allow(harness/subjects "core|blocks|emulation|subjects" "Eigen|rapidcheck|CLI")
allow(harness/faults "core|blocks|subjects|faults" "Eigen|rapidcheck|CLI")
allow(harness/worker "core|blocks|subjects|faults|worker" "Eigen|rapidcheck")

if(broken)
  message(FATAL_ERROR "These includes break the folders' rules:\n${broken}")
endif()
message(STATUS "every include keeps the folders' rules")
