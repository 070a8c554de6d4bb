# Installs the build of BUILD into a fresh prefix under WORK, builds the project SOURCE against it and runs its tests:
# the right kernel passes, the wrong one fails.
function(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE result)
  set(output "${output}" PARENT_SCOPE)
  set(result "${result}" PARENT_SCOPE)
endfunction()

function(must)
  run(${ARGN})
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ${result}\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
must(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
must(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/build -G ${GENERATOR}
     -D CMAKE_PREFIX_PATH=${WORK}/prefix -D CMAKE_BUILD_TYPE=Release)
must(${CMAKE_COMMAND} --build ${WORK}/build)
run(${CMAKE_CTEST_COMMAND} --test-dir ${WORK}/build)
foreach(expected "right/fuzz [.]+ +Passed" "wrong/fuzz [.]+[*]+Failed")
  if(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "'${expected}' is not in what the example's tests print:\n${output}")
  endif()
endforeach()
