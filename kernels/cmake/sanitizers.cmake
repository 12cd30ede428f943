# sanitizer_works(MODE RUN REASON OPTION...): whether programs built with these options run on this machine.
# RUN becomes what to put before a command, REASON why not.
function(sanitizer_works mode run reason)
  set(probe ${CMAKE_CURRENT_BINARY_DIR}/probe-${mode})
  file(WRITE ${probe}.cpp "int main() { return 0; }\n")
  try_compile(built ${CMAKE_CURRENT_BINARY_DIR} ${probe}.cpp COMPILE_DEFINITIONS ${ARGN} LINK_OPTIONS ${ARGN}
    COPY_FILE ${probe})
  set(${run} "" PARENT_SCOPE)
  set(${reason} "" PARENT_SCOPE)
  if(NOT built)
    set(${reason} "the compiler cannot link with ${ARGN}" PARENT_SCOPE)
    return()
  endif()
  execute_process(COMMAND ${probe} RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
  if(failed)
    # Where the system spreads addresses wider than the runtime expects.
    execute_process(COMMAND setarch -R ${probe} RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
    set(${run} setarch -R PARENT_SCOPE)
  endif()
  if(failed)
    set(${reason} "programs built with ${ARGN} do not run on this machine" PARENT_SCOPE)
  endif()
endfunction()
