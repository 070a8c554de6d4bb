# deformdiff_add_test(NAME name LIBRARY target OPERATOR ns::ms_deform_attn
#                     [DECLARE key=value...] [CASES n] [SEED n] [REPLAY file...] [OPTIONS option...])
#
# Tests the operator that a library of this project registers:
#   NAME/fuzz          n random cases (500), of seed n (1); OPTIONS are further ones of 'deformdiff fuzz'
#   NAME/replay/FILE   each saved case of REPLAY
# DECLARE says what the operator promises ('deformdiff list addresses'), as device=cuda. Failures are saved in the
# build folder, in deformdiff/NAME/findings. A test that could judge nothing, for want of a GPU say, is skipped.
function(deformdiff_add_test)
  cmake_parse_arguments(PARSE_ARGV 0 ARG "" "NAME;LIBRARY;OPERATOR;CASES;SEED" "DECLARE;REPLAY;OPTIONS")
  foreach(key NAME LIBRARY OPERATOR)
    if(NOT ARG_${key})
      message(FATAL_ERROR "deformdiff_add_test: ${key} is missing")
    endif()
  endforeach()
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "deformdiff_add_test(NAME ${ARG_NAME}): unknown argument ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT TARGET ${ARG_LIBRARY})
    message(FATAL_ERROR "deformdiff_add_test(NAME ${ARG_NAME}): LIBRARY ${ARG_LIBRARY} is no target")
  endif()
  if(NOT ARG_CASES)
    set(ARG_CASES 500)
  endif()
  if(NOT DEFINED ARG_SEED)
    set(ARG_SEED 1)
  endif()

  set(subject "torchop:$<TARGET_FILE:${ARG_LIBRARY}>#${ARG_OPERATOR}")
  if(ARG_DECLARE)
    list(JOIN ARG_DECLARE "&" declared)
    string(APPEND subject "?${declared}")
  endif()
  set(out "${CMAKE_CURRENT_BINARY_DIR}/deformdiff/${ARG_NAME}")
  set(tests "${ARG_NAME}/fuzz")
  add_test(NAME ${ARG_NAME}/fuzz
    COMMAND "${DEFORMDIFF_PROGRAM}" fuzz --block ms_deform_attn --subject "${subject}"
            --cases ${ARG_CASES} --seed ${ARG_SEED} --out "${out}" ${ARG_OPTIONS})
  foreach(file IN LISTS ARG_REPLAY)
    cmake_path(ABSOLUTE_PATH file)
    cmake_path(GET file STEM name)
    list(APPEND tests "${ARG_NAME}/replay/${name}")
    add_test(NAME "${ARG_NAME}/replay/${name}"
      COMMAND "${DEFORMDIFF_PROGRAM}" replay "${file}" --subject "${subject}")
  endforeach()
  set_tests_properties(${tests} PROPERTIES SKIP_RETURN_CODE 4 LABELS deformdiff)
endfunction()
