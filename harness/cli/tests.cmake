# Tests through the command line: saved cases, one a folder, and fuzzing runs of every implementation.
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
# The operator's hold gradients too, of float32 and float64.
file(GLOB gradients CONFIGURE_DEPENDS ${cases}/ms_deform_attn/recorded/*.safetensors)
list(FILTER gradients EXCLUDE REGEX "_b?f16.safetensors$")
foreach(file IN LISTS gradients)
  cmake_path(GET file FILENAME name)
  add_test(NAME judge/ms_deform_attn_backward/${name} COMMAND deformdiff judge ${file} --block ms_deform_attn_backward)
  set_tests_properties(judge/ms_deform_attn_backward/${name} PROPERTIES LABELS replay
    FAIL_REGULAR_EXPRESSION "vacuous|not_run")
endforeach()
file(GLOB wrong CONFIGURE_DEPENDS ${cases}/*/recorded_fault/*.safetensors)
foreach(file IN LISTS wrong)
  cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${cases} OUTPUT_VARIABLE name)
  add_test(NAME judge/${name} COMMAND deformdiff judge ${file})
  set_tests_properties(judge/${name} PROPERTIES LABELS replay PASS_REGULAR_EXPRESSION "1 failure found in 1 of 1")
endforeach()

# A declaration counts: this one says that the recorded runs are of no dtype that is judged.
add_test(NAME judge/declared COMMAND deformdiff judge
  ${cases}/mask_predictor/recorded/mask_predictor_odd_ratio.safetensors --declare dtypes=float16)
set_tests_properties(judge/declared PROPERTIES LABELS replay PASS_REGULAR_EXPRESSION "Nothing was judged")

# And this one, that sampling rounds to float16 on its way.
add_test(NAME judge/declared_operations COMMAND deformdiff judge
  ${cases}/ms_deform_attn/recorded_fault/sampled_in_float16.safetensors
  --declare arithmetic=operations --declare coordinates=grid_sample)
set_tests_properties(judge/declared_operations PROPERTIES LABELS replay)

# What only a shell can set up: functions of a script. Exit code 77 is a skipped one.
function(deformdiff_shell_tests script)
  foreach(name IN LISTS ARGN)
    add_test(NAME cli/${name} COMMAND ${PROJECT_SOURCE_DIR}/harness/cli/${script}
      $<TARGET_FILE:deformdiff> ${CMAKE_CURRENT_BINARY_DIR}/cli_test/${name} ${name})
    set_tests_properties(cli/${name} PROPERTIES LABELS cli TIMEOUT 120 SKIP_RETURN_CODE 77)
  endforeach()
endfunction()
deformdiff_shell_tests(command_line_test.sh full_output closed_output saved_recording)

if(NOT TARGET deformdiff-worker)
  return()
endif()

deformdiff_shell_tests(command_line_test.sh
  closed_output_spares_files
  conditions_reach_the_cases
  endless_input
  unknown_requirement
  report_on_standard_output
  report_through_a_link
  finding_that_cannot_be_saved
  served_blocks
  verbose_tables
  plain_progress
  bisect_versions
  known_findings
  promote_open
  promote_fixed
  promote_refuses)

# Scripts for others, run by the Python of the wheel; skipped where that has not what they need.
function(deformdiff_script_tests)
  foreach(name IN LISTS ARGN)
    add_test(NAME emit/${name} COMMAND ${PROJECT_SOURCE_DIR}/harness/cli/emit/script_test.sh
      $<TARGET_FILE:deformdiff> ${CMAKE_CURRENT_BINARY_DIR}/emit_test/${name} ${name} ${DEFORMDIFF_PYTHON}
      $<TARGET_FILE:operator_fixture>)
    set_tests_properties(emit/${name} PROPERTIES LABELS cli TIMEOUT 600 SKIP_RETURN_CODE 77)
  endforeach()
endfunction()
deformdiff_script_tests(operator operator_that_crashes builtin recorded formulas)

add_test(NAME bisect/git COMMAND ${PROJECT_SOURCE_DIR}/harness/cli/command_line_test.sh $<TARGET_FILE:deformdiff>
  ${CMAKE_CURRENT_BINARY_DIR}/cli_test/bisect_git bisect_git $<TARGET_FILE:operator_fixture>)
set_tests_properties(bisect/git PROPERTIES LABELS cli TIMEOUT 120 SKIP_RETURN_CODE 77)

add_test(NAME cli/without_a_bound COMMAND ${PROJECT_SOURCE_DIR}/harness/cli/command_line_test.sh
  $<TARGET_FILE:deformdiff> ${CMAKE_CURRENT_BINARY_DIR}/cli_test/without_a_bound without_a_bound
  $<TARGET_FILE:quantising_fixture>)
set_tests_properties(cli/without_a_bound PROPERTIES LABELS cli TIMEOUT 120)

# Each is several runs of some seconds.
set(journal_tests
  killed_and_resumed
  shards_merged
  resume_adds_what_is_typed
  resume_refuses_other_cases
  second_process_is_refused
  read_only_folder
  full_disk
  removed_journal
  damaged_journal
  ended_by_interrupt
  ended_by_termination
  second_signal_ends_at_once
  vanished_library)
deformdiff_shell_tests(journal_test.sh ${journal_tests})
list(TRANSFORM journal_tests PREPEND cli/)
set_tests_properties(${journal_tests} PROPERTIES TIMEOUT 600)
set_tests_properties(cli/vanished_library PROPERTIES
  ENVIRONMENT "DEFORMDIFF_FIXTURE_LIBRARY=$<TARGET_FILE:operator_fixture>")

add_test(NAME readme_examples COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/readme_examples.sh ${PROJECT_SOURCE_DIR}
  $<TARGET_FILE:deformdiff> ${CMAKE_CURRENT_BINARY_DIR}/readme README.md harness/recorded/README.md)
set_tests_properties(readme_examples PROPERTIES LABELS cli TIMEOUT 600)

# A folder of saved cases is one run: its implementations are started once.
file(GLOB folders CONFIGURE_DEPENDS ${cases}/*/smoke ${cases}/*/regression)
foreach(folder IN LISTS folders)
  file(GLOB saved CONFIGURE_DEPENDS ${folder}/*.json)
  cmake_path(RELATIVE_PATH folder BASE_DIRECTORY ${cases} OUTPUT_VARIABLE name)
  deformdiff_command_test(replay/${name} replay replay ${saved})
endforeach()

# On what it came from, an open failure must still show, and a fixed one on a fault or on the very library that
# failed. What is not there is skipped.
file(GLOB failures CONFIGURE_DEPENDS ${cases}/*/open/*.json ${cases}/*/regression/*.json)
foreach(file IN LISTS failures)
  cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${cases} OUTPUT_VARIABLE name)
  deformdiff_command_test(origin/${name} replay replay --origin ${file})
  set_tests_properties(origin/${name} PROPERTIES SKIP_RETURN_CODE 4)
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
  attention_layer=8
  encoder_layer=6
  pixel_decoder_encoder=4
  pixel_decoder=3
  decoder_layer=6
  mask_predictor=8
  transformer_decoder=3
  mask2former_head=2)
foreach(pair IN LISTS fuzzed)
  string(REGEX MATCH "^(.+)=(.+)$" matched ${pair})
  deformdiff_command_test(fuzz/builtin/${CMAKE_MATCH_1} fuzz
    fuzz --block ${CMAKE_MATCH_1} --cases ${CMAKE_MATCH_2} --seed 3 --out ${out}/fuzz_${CMAKE_MATCH_1})
endforeach()

# CUDA kernels of others, made a library by the recipe of harness/emulation.
if(TARGET emulated_families)
  foreach(block ms_deform_attn ms_deform_attn_backward)
    deformdiff_command_test(fuzz/emulated_families/${block} fuzz
      fuzz --block ${block} --cases 60 --seed 5 --out ${out}/emulated_families_${block}
      --subject "torchop:$<TARGET_FILE_DIR:deformdiff>/libemulated_families.so#families::ms_deform_attn?dtypes=float32,float64")
  endforeach()
endif()

# The time bounds a kernel that hangs, its confirmation and its shrinking; Ctrl-C ends a run with its report.
add_test(NAME fuzz/time_bounds_everything
  COMMAND timeout 60 $<TARGET_FILE:deformdiff> fuzz --block ms_deform_attn --subject fault/hangs --time 10s
          --case-timeout 2s --seed 1 --out ${out}/bounded)
set_tests_properties(fuzz/time_bounds_everything PROPERTIES LABELS fuzz PASS_REGULAR_EXPRESSION "timed_out: no answer within 2 s")
foreach(signal INT TERM)
  add_test(NAME fuzz/ends_with_its_report_on_${signal}
    COMMAND env --default-signal=${signal} timeout --preserve-status --kill-after=30 --signal=${signal} 5 $<TARGET_FILE:deformdiff> fuzz
            --block ms_deform_attn --subject cpu --cases 100000000 --out ${out}/${signal})
  set_tests_properties(fuzz/ends_with_its_report_on_${signal} PROPERTIES LABELS fuzz
    PASS_REGULAR_EXPRESSION "interrupted: this is what was done until then.*Nothing found: 1 implementation agree")
endforeach()

# Canaries have their share of a run, and are no findings.
deformdiff_command_test(fuzz/canaries fuzz
  fuzz --block ms_deform_attn --subject cpu --time 15s --canaries --seed 1 --out ${out}/canaries)
set_tests_properties(fuzz/canaries PROPERTIES
  PASS_REGULAR_EXPRESSION "out_of_bound +[1-9].*0 false alarms in [0-9]+ judged cases of right code.*Nothing found"
  FAIL_REGULAR_EXPRESSION "Warning:")

# Conditions on sizes, in the operator's block and in a deep one.
foreach(block ms_deform_attn decoder_layer)
  deformdiff_command_test(fuzz/only/${block} fuzz
    fuzz --block ${block} --subject cpu --cases 20 --only M==8,D==32 --out ${out}/fuzz_only_${block})
endforeach()
deformdiff_command_test(fuzz/only/refused fuzz fuzz --block ms_deform_attn --subject cpu --only D<=4,D>=8)
set_tests_properties(fuzz/only/refused PROPERTIES PASS_REGULAR_EXPRESSION "no D from 1 to 1048576 meets it")

# Tier huge: what is fused gets its cases, what holds all samples does not; a finding shrinks, in the time there is.
deformdiff_command_test(fuzz/huge/cpu fuzz
  fuzz --block ms_deform_attn --tier huge --subject cpu --cases 2 --seed 2 --out ${out}/huge_cpu)
set_tests_properties(fuzz/huge/cpu PROPERTIES PASS_REGULAR_EXPRESSION "1 implementation agrees in 2 runs; 0 not judged")
deformdiff_command_test(fuzz/huge/composite fuzz
  fuzz --block ms_deform_attn --tier huge --subject composite --cases 2 --seed 2 --out ${out}/huge_composite)
set_tests_properties(fuzz/huge/composite PROPERTIES PASS_REGULAR_EXPRESSION "2 not_run: memory .composite")
deformdiff_command_test(fuzz/huge/shrinks fuzz
  fuzz --block ms_deform_attn --tier huge --subject fault/last_query_dropped --first-finding --cases 1 --seed 2
  --out ${out}/huge_shrinks)
set_tests_properties(fuzz/huge/shrinks PROPERTIES PASS_REGULAR_EXPRESSION "shrunk from [0-9]+ to [0-9] elements")
add_test(NAME fuzz/huge/time
  COMMAND timeout 60 $<TARGET_FILE:deformdiff> fuzz --block ms_deform_attn --tier huge --time 15s --seed 2
          --subject fault/products_in_32_bits --first-finding --out ${out}/huge_time)
set_tests_properties(fuzz/huge/time PROPERTIES LABELS fuzz
  PASS_REGULAR_EXPRESSION "fault/products_in_32_bits: out_of_bound:.*1 failure found")

# Correct code with a contract that it does not declare.
add_test(NAME fuzz/says_what_to_declare
  COMMAND deformdiff fuzz --block ms_deform_attn --subject fault/level_starts_ignored --cases 60 --seed 1
          --no-shrink --out ${out}/undeclared)
set_tests_properties(fuzz/says_what_to_declare PROPERTIES LABELS fuzz TIMEOUT 600
  PASS_REGULAR_EXPRESSION "No failure under another declaration:\n.*no failure with level_start_index=ignored: declare it if that is meant")

# Levels that overlap, which the declaration leaves out, do not excuse what fails without them too.
add_test(NAME fuzz/what_is_left_out_is_not_excused
  COMMAND deformdiff fuzz --block ms_deform_attn --subject fault/half_pixel --cases 60 --seed 1 --no-shrink
          --out ${out}/left_out)
set_tests_properties(fuzz/what_is_left_out_is_not_excused PROPERTIES LABELS fuzz TIMEOUT 600
  PASS_REGULAR_EXPRESSION "failures found in" FAIL_REGULAR_EXPRESSION "level_start_index=ignored")

add_test(NAME fuzz/nightly CONFIGURATIONS nightly COMMAND deformdiff fuzz --time 1h --seed 4 --out ${out}/nightly)
set_tests_properties(fuzz/nightly PROPERTIES LABELS nightly TIMEOUT 7200)
# A small block's faults, and every attack on the harness.
add_test(NAME selftest/one_block
  COMMAND deformdiff selftest --block reference_points --cases 10 --out ${out}/selftest_one_block)
set_tests_properties(selftest/one_block PROPERTIES LABELS cli TIMEOUT 600
  PASS_REGULAR_EXPRESSION "The self-test is green")
add_test(NAME selftest/nightly CONFIGURATIONS nightly COMMAND deformdiff selftest --out ${out}/selftest)
set_tests_properties(selftest/nightly PROPERTIES LABELS nightly TIMEOUT 7200)

# What is written for other programs, by runs and by `check` of a module that the test exports itself.
deformdiff_test(written_reports_test TORCH
  SOURCES ${PROJECT_SOURCE_DIR}/reports/written_reports_test.cpp
  LIBRARIES deformdiff_faults deformdiff_worker_parts nlohmann_json::nlohmann_json
  LABELS cli)
add_dependencies(written_reports_test deformdiff deformdiff-worker)
target_compile_definitions(written_reports_test PRIVATE DEFORMDIFF_PROGRAM="$<TARGET_FILE:deformdiff>"
  DEFORMDIFF_OUT="${CMAKE_CURRENT_BINARY_DIR}" DEFORMDIFF_SOURCE="${PROJECT_SOURCE_DIR}")
add_test(NAME slurm/nightly CONFIGURATIONS nightly COMMAND ${PROJECT_SOURCE_DIR}/harness/slurm/slurm_test.sh
  $<TARGET_FILE:deformdiff> ${CMAKE_CURRENT_BINARY_DIR}/slurm)
set_tests_properties(slurm/nightly PROPERTIES LABELS nightly SKIP_RETURN_CODE 77 TIMEOUT 1800)
