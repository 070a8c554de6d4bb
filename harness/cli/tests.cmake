# Tests through the command line: saved cases, one a case, and fuzzing runs of every implementation.
if(NOT BUILD_TESTING)
  return()
endif()
set(cases ${PROJECT_SOURCE_DIR}/cases)

# Recorded outputs of other frameworks need no implementation of ours.
file(GLOB recorded CONFIGURE_DEPENDS ${cases}/*/recorded/*.safetensors)
foreach(file IN LISTS recorded)
  cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${cases} OUTPUT_VARIABLE name)
  add_test(NAME judge/${name} COMMAND deformdiff judge ${file})
  set_tests_properties(judge/${name} PROPERTIES LABELS replay)
endforeach()
file(GLOB wrong CONFIGURE_DEPENDS ${cases}/*/recorded_fault/*.safetensors)
foreach(file IN LISTS wrong)
  cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${cases} OUTPUT_VARIABLE name)
  add_test(NAME judge/${name} COMMAND deformdiff judge ${file})
  set_tests_properties(judge/${name} PROPERTIES LABELS replay PASS_REGULAR_EXPRESSION "1 failure found in 1 of 1")
endforeach()

if(NOT TARGET deformdiff-worker)
  return()
endif()

file(GLOB saved CONFIGURE_DEPENDS ${cases}/*/smoke/*.json
     ${cases}/*/regression/*.json)
foreach(file IN LISTS saved)
  cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${cases} OUTPUT_VARIABLE name)
  deformdiff_command_test(replay/${name} replay replay ${file})
endforeach()

# An open failure must still show what was recorded; when it is gone its file moves to regression/.
file(GLOB open CONFIGURE_DEPENDS ${cases}/*/open/*.json)
foreach(file IN LISTS open)
  cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${cases} OUTPUT_VARIABLE name)
  deformdiff_command_test(replay/${name} replay replay ${file})
  set_tests_properties(replay/${name} PROPERTIES PASS_REGULAR_EXPRESSION "\\(reproduces\\)")
endforeach()

# Where an implementation cannot run for want of a device, nothing is judged: exit code 4 means skipped.
set(out ${CMAKE_CURRENT_BINARY_DIR}/out)
foreach(subject cpu cuda cuda_emulated composite composite_cuda traced/composite traced/op
        traced/composite/reloaded traced/op/reloaded)
  string(REPLACE "/" "_" folder ${subject})
  deformdiff_command_test(subject/${subject} subject
    fuzz --block ms_deform_attn --subject ${subject} --cases 150 --seed 2 --out ${out}/subject_${folder})
  set_tests_properties(subject/${subject} PROPERTIES SKIP_RETURN_CODE 4)
endforeach()

# Every block on every built-in implementation, BLOCK=CASES. A traced one is traced anew for each case.
set(fuzzed
  ms_deform_attn=150
  position_embedding=16
  reference_points=16
  attention_layer=16
  encoder_layer=12
  pixel_decoder_encoder=8
  pixel_decoder=6
  decoder_layer=12
  mask_predictor=16
  transformer_decoder=6
  mask2former_head=4)
foreach(pair IN LISTS fuzzed)
  string(REGEX MATCH "^(.+)=(.+)$" matched ${pair})
  deformdiff_command_test(fuzz/builtin/${CMAKE_MATCH_1} fuzz
    fuzz --block ${CMAKE_MATCH_1} --cases ${CMAKE_MATCH_2} --seed 3 --out ${out}/fuzz_${CMAKE_MATCH_1})
endforeach()

add_test(NAME fuzz/nightly CONFIGURATIONS nightly COMMAND deformdiff fuzz --time 1h --seed 4 --out ${out}/nightly)
set_tests_properties(fuzz/nightly PROPERTIES LABELS nightly TIMEOUT 7200)
add_test(NAME selftest/nightly CONFIGURATIONS nightly COMMAND deformdiff selftest --out ${out}/selftest)
set_tests_properties(selftest/nightly PROPERTIES LABELS nightly TIMEOUT 7200)
