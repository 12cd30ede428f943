# ringstep-kernels: a static library of device code for every common architecture.
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
# Machine code for these, and the intermediate code that a driver compiles for those that come later. What is made for
# 8.0 runs on 8.6 and 8.9, too.
set(RINGSTEP_CUDA_ARCHITECTURES 75-real 80-real 90-real 100-real 120 CACHE STRING
  "GPU architectures, as CMAKE_CUDA_ARCHITECTURES")
set(CMAKE_CUDA_ARCHITECTURES ${RINGSTEP_CUDA_ARCHITECTURES})
enable_language(CUDA)

add_library(ringstep-kernels STATIC ${RINGSTEP_KERNEL_SOURCES})
target_include_directories(ringstep-kernels
  PUBLIC src ../native/include ../native/src  # in this order: both src/ have a blocks.h and an optimizer.h
  PRIVATE simt)
set_target_properties(ringstep-kernels PROPERTIES
  POSITION_INDEPENDENT_CODE ON
  CUDA_VISIBILITY_PRESET hidden
  CUDA_RUNTIME_LIBRARY Static
  # Keeps what ptxas says of each kernel beside its object.
  CUDA_COMPILER_LAUNCHER ${CMAKE_CURRENT_SOURCE_DIR}/cmake/keep-report)
target_compile_options(ringstep-kernels PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:
  # No contraction: fmaf where it is written, so that every compiler gives the same bits.
  -fmad=false
  -Xptxas=-v -Xfatbin=-compress-all -Xcompiler=-Wall,-Wextra,-ffp-contract=off>)

# The build ends here if a kernel spills, has a stack frame or takes more registers than budgets.txt grants.
add_custom_command(TARGET ringstep-kernels POST_BUILD
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cmake/check-budgets ${CMAKE_CURRENT_SOURCE_DIR}/budgets.txt
    ${CMAKE_CURRENT_BINARY_DIR}/budgets.report $<TARGET_OBJECTS:ringstep-kernels>
  COMMAND_EXPAND_LISTS VERBATIM)
