# Tests through the command line that every fault is found: the sets, with the verdict that each must get.
if(NOT BUILD_TESTING)
  return()
endif()
set(out ${CMAKE_CURRENT_BINARY_DIR}/out)

# fault_test(NAME=VERDICT SUFFIX ARGUMENTS...): the test fault/NAME and SUFFIX, a fuzzing run of the fault that must
# get the verdict.
function(fault_test fault suffix)
  string(REGEX MATCH "^([^=]+)=(.+)$" matched "${fault}")
  set(name fault/${CMAKE_MATCH_1})
  set(verdict ${CMAKE_MATCH_2})
  if(verdict STREQUAL out_of_bound)
    set(verdict "out_of_bound|nonfinite_mismatch")  # whichever the first failing case shows
  endif()
  deformdiff_command_test(${name}${suffix} fault
    fuzz --subject ${name} ${ARGN} --no-shrink --out ${out}/${name}${suffix})
  # Lines are broken at 80 columns.
  set_tests_properties(${name}${suffix} PROPERTIES PASS_REGULAR_EXPRESSION "${name}:[ \n]+(${verdict}):")
endfunction()

# A fault must be found, with the verdict that is written behind it. One that reads from the wrong place may come
# upon a NaN first.
set(faults
  swapped_normaliser=out_of_bound
  floorf_in_double=out_of_bound
  align_corners=out_of_bound
  half_pixel=out_of_bound
  border_padding=out_of_bound
  range_from_zero=out_of_bound
  range_to_last_pixel=out_of_bound
  nearest_pixel=out_of_bound
  last_level_transposed=out_of_bound
  half_accumulation=out_of_bound
  float_for_double=out_of_bound
  half_locations=out_of_bound
  rounded_grid=out_of_bound
  mixed_rounded_locations=out_of_bound
  mixed_rounded_weights=out_of_bound
  "mixed_misread_locations=(out_of_bound|nonfinite_mismatch)"
  mixed_promoted_output=wrong_structure
  tf32_weights=out_of_bound
  nan_location_spreads=nonfinite_mismatch
  nan_to_num=nonfinite_mismatch
  softmax_again=out_of_bound
  negative_weights_dropped=out_of_bound
  neighbour_batch=out_of_bound
  first_level_normalises=out_of_bound
  heads_points_swapped=out_of_bound
  xy_swapped=out_of_bound
  channels_interleaved=out_of_bound
  "level_starts_ignored=(out_of_bound|nonfinite_mismatch)"
  "strides_ignored=(out_of_bound|nonfinite_mismatch)"
  batch_remainder_dropped=out_of_bound
  grid_capped=out_of_bound
  queries_in_16_bits=out_of_bound
  batch_beyond_grid=out_of_bound
  batch_beyond_block=out_of_bound
  sides_in_16_bits=out_of_bound
  last_query_dropped=out_of_bound
  tail_channels_zero=out_of_bound
  tail_channels_unwritten=unwritten_output
  launch_error_ignored=out_of_bound
  four_levels=out_of_bound
  eight_points=out_of_bound
  cached_by_shape=out_of_bound
  shared_workspace=out_of_bound
  "sides_by_address=(out_of_bound|nonfinite_mismatch)"
  "sides_by_tensor=(out_of_bound|nonfinite_mismatch)"
  kept_result=nondeterministic
  "begins_of_storage=(out_of_bound|nonfinite_mismatch)"
  weights_in_place=modified_input
  outside_multiplied_by_zero=nonfinite_mismatch
  traced_unregistered_kernel=out_of_bound
  traced_uninitialised=unwritten_output
  traced_baked_constant=out_of_bound
  segfaults=crashed
  aborts=crashed
  killed=crashed
  stops=crashed
  exits=crashed
  babbles=crashed
  hangs=timed_out
  hides=timed_out
  eats_memory=threw
  throws=threw
  throws_nothing=threw
  throws_at_length=threw
  closes_descriptors=crashed
  overruns=overran_buffer
  underruns=overran_buffer
  modifies_input=modified_input
  transposes_input=modified_input
  resizes_input=modified_input
  modifies_earlier_output=modified_input
  leaves_poison=unwritten_output
  wrong_shape=wrong_structure
  wrong_dtype=wrong_structure
  nondeterministic=nondeterministic)
foreach(fault IN LISTS faults)
  fault_test("${fault}" "" --block ms_deform_attn --first-finding --cases 5000 --seed 1 --case-timeout 5s)
endforeach()

# The same of the operator's backward, FAULT@BLOCK. Where one reads from the wrong place a NaN may come first.
set(gradient_faults
  gradient_factors_swapped@ms_deform_attn_backward=out_of_bound
  gradient_factors_missing@ms_deform_attn_backward=out_of_bound
  gradient_without_weight@ms_deform_attn_backward=out_of_bound
  gradient_without_output@ms_deform_attn_backward=out_of_bound
  gradient_slopes_mixed@ms_deform_attn_backward=out_of_bound
  gradient_of_next_head@ms_deform_attn_backward=out_of_bound
  gradient_zero_on_centres@ms_deform_attn_backward=out_of_bound
  gradient_yx@ms_deform_attn_backward=out_of_bound
  gradient_pairs_of_channels@ms_deform_attn_backward=out_of_bound
  gradient_tree_without_tail@ms_deform_attn_backward=out_of_bound
  gradient_first_block_only@ms_deform_attn_backward=out_of_bound
  gradient_last_block_only@ms_deform_attn_backward=out_of_bound
  gradient_float_for_double@ms_deform_attn_backward=out_of_bound
  mixed_gradient_locations@ms_deform_attn_backward=out_of_bound
  mixed_gradient_rounded@ms_deform_attn_backward=out_of_bound
  mixed_gradient_type@ms_deform_attn_backward=wrong_structure
  scatter_lost_updates@ms_deform_attn_backward=out_of_bound
  scatter_to_border@ms_deform_attn_backward=out_of_bound
  scatter_inside_only@ms_deform_attn_backward=out_of_bound
  scatter_floorf_in_double@ms_deform_attn_backward=out_of_bound
  scatter_steps_on_one_another@ms_deform_attn_backward=out_of_bound
  scatter_grid_capped@ms_deform_attn_backward=out_of_bound
  scatter_last_query_dropped@ms_deform_attn_backward=out_of_bound
  scatter_not_cleared@ms_deform_attn_backward=unwritten_output
  scatter_level_starts_ignored@ms_deform_attn_backward=out_of_bound
  scatter_strides_ignored@ms_deform_attn_backward=out_of_bound)
foreach(fault IN LISTS gradient_faults)
  string(REGEX MATCH "^([^@]+)@([^=]+)=(.+)$" matched "${fault}")
  fault_test("${CMAKE_MATCH_1}=${CMAKE_MATCH_3}" "" --block ${CMAKE_MATCH_2} --first-finding --cases 5000 --seed 1
    --case-timeout 5s)
endforeach()

# What only cases of tier huge show, which must be named.
set(huge_faults
  products_in_32_bits=out_of_bound)
foreach(fault IN LISTS huge_faults)
  fault_test("${fault}" "" --block ms_deform_attn --tier huge --first-finding --cases 3 --seed 2)
endforeach()

# What only a worker's first call shows is found whatever the first cases of the stream are.
set(first_call_faults
  dirty_at_first=out_of_bound)
foreach(fault IN LISTS first_call_faults)
  foreach(seed RANGE 1 5)
    fault_test("${fault}" /${seed} --block ms_deform_attn --cases 1000 --seed ${seed})
  endforeach()
endforeach()

# The same of whole models, FAULT@BLOCK. Where no run was tapped another verdict may come first: a stage says that
# zeros are due where the outputs show a NaN.
set(block_faults
  swapped_aspect@attention_layer=out_of_bound
  levels_reversed@encoder_layer=out_of_bound
  dropped_level_embedding@pixel_decoder=out_of_bound
  reversed_level_embedding@transformer_decoder=out_of_bound
  half_pixel_positions@position_embedding=out_of_bound
  reference_points_yx@reference_points=out_of_bound
  padding_ignored@pixel_decoder_encoder=out_of_bound
  "mask_ignored@decoder_layer=(out_of_bound|nonfinite_mismatch)"
  threshold_inverted@mask_predictor=out_of_bound
  "blocked_rows_kept@transformer_decoder=(out_of_bound|nonfinite_mismatch)"
  unscaled_queries@decoder_layer=out_of_bound
  norm_unbiased_variance@encoder_layer=out_of_bound
  "norm_one_pass_variance@decoder_layer=(out_of_bound|nonfinite_mismatch)"
  norm_eps_outside_root@encoder_layer=out_of_bound
  norm_half_statistics@encoder_layer=out_of_bound
  norm_bias_before_weight@decoder_layer=out_of_bound
  norm_half_parameters@encoder_layer=out_of_bound
  layer_norm_of_all_rows@encoder_layer=out_of_bound
  group_norm_over_batch@pixel_decoder=out_of_bound
  group_norm_interleaved@pixel_decoder=out_of_bound
  traced_block_unregistered_kernel@pixel_decoder=out_of_bound
  traced_block_stale_constant@attention_layer=out_of_bound
  traced_block_stale_mask@mask2former_head=out_of_bound
  traced_block_baked_normaliser@pixel_decoder_encoder=out_of_bound
  traced_block_baked_levels@encoder_layer=out_of_bound
  "traced_block_baked_batch@pixel_decoder=(out_of_bound|wrong_structure)"
  traced_block_training_mode@transformer_decoder=out_of_bound)
foreach(fault IN LISTS block_faults)
  string(REGEX MATCH "^([^@]+)@([^=]+)=(.+)$" matched "${fault}")
  fault_test("${CMAKE_MATCH_1}=${CMAKE_MATCH_3}" "" --block ${CMAKE_MATCH_2} --first-finding --cases 200 --seed 1)
endforeach()

# One element of one stage is wrong: that stage is named, and no other.
set(decoder model.transformer_module.decoder)
set(wrong_stages
  pixel_decoder:input_projections.0.0
  pixel_decoder:encoder.layers.0.self_attn.value_proj
  pixel_decoder:mask_projection
  transformer_decoder:${decoder}.layers.0.cross_attn.scores
  transformer_decoder:${decoder}.layers.0.fc1
  transformer_decoder:class_predictor\#1)
foreach(pair IN LISTS wrong_stages)
  string(REGEX MATCH "^([^:]+):(.+)$" matched "${pair}")
  set(block ${CMAKE_MATCH_1})
  set(stage ${CMAKE_MATCH_2})
  string(REPLACE "." "\\." pattern ${stage})
  foreach(size 1e-1 1e-3)
    set(name wrong_stage/${block}/${stage}/${size})
    string(MAKE_C_IDENTIFIER ${name} folder)
    deformdiff_command_test(${name} fault
      fuzz --block ${block} --subject fault/wrong_stage:${stage}:${size} --first-finding --cases 20 --seed 1
      --no-shrink --out ${out}/${folder})
    set_tests_properties(${name} PROPERTIES PASS_REGULAR_EXPRESSION ":[ \n]+out_of_bound:[ \n]+${pattern}\\[")
  endforeach()
endforeach()

# Without a bound, by relations between answers: faults are found and right code of few bits is not.
set(unbound_faults
  neighbour_batch@ms_deform_attn
  border_padding@ms_deform_attn
  gradient_of_next_head@ms_deform_attn_backward)
foreach(fault IN LISTS unbound_faults)
  string(REGEX MATCH "^([^@]+)@(.+)$" matched "${fault}")
  set(name fault/${CMAKE_MATCH_1})
  deformdiff_command_test(${name}/without_bound fault
    fuzz --block ${CMAKE_MATCH_2} --subject ${name}?bound=none --first-finding --cases 100 --seed 1 --no-shrink
    --out ${out}/${name}_without_bound)
  set_tests_properties(${name}/without_bound PROPERTIES PASS_REGULAR_EXPRESSION "broken_relation:")
endforeach()
