# One way to declare the project's own targets: couplingd_library, couplingd_program, couplingd_test.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

add_library(couplingd_flags INTERFACE)
target_include_directories(couplingd_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(couplingd_flags INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers)
if(COUPLINGD_SANITIZE)
  # Instrumented, g++ 12 takes the standard library's own unions for uninitialised.
  target_compile_options(couplingd_flags INTERFACE -fsanitize=${COUPLINGD_SANITIZE} -fno-sanitize-recover=all
                                                   -fno-omit-frame-pointer -Wno-maybe-uninitialized)
  target_link_options(couplingd_flags INTERFACE -fsanitize=${COUPLINGD_SANITIZE})
endif()

# couplingd_library(NAME SOURCES a.cc … LIBRARIES b …)
function(couplingd_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES})
    target_link_libraries(${name} PUBLIC couplingd_flags ${ARG_LIBRARIES})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE couplingd_flags ${ARG_LIBRARIES})
  endif()
endfunction()

# couplingd_program(NAME SOURCES a.cc … LIBRARIES b …)
function(couplingd_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE couplingd_flags ${ARG_LIBRARIES})
endfunction()

# couplingd_test(NAME SOURCES a_test.cc … LIBRARIES b … [LABELS gpu …] [TIMEOUT seconds] [WHOLE])
# WHOLE: one process runs all of it, because its tests share what is dear to make.
function(couplingd_test name)
  cmake_parse_arguments(ARG "WHOLE" "TIMEOUT" "SOURCES;LIBRARIES;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE couplingd_flags ${ARG_LIBRARIES} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE COUPLINGD_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                             COUPLINGD_BINARY_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  set(properties TIMEOUT ${ARG_TIMEOUT}
                 ENVIRONMENT "LSAN_OPTIONS=print_suppressions=0:suppressions=${CMAKE_SOURCE_DIR}/tests/leaks.supp")
  if(ARG_LABELS)
    list(APPEND properties LABELS "${ARG_LABELS}")
  endif()
  if(ARG_WHOLE)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES ${properties})
  else()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120 PROPERTIES ${properties})
  endif()
endfunction()

# couplingd_embed(TARGET FUNCTION HEADER FILES…): gives TARGET the function
# `std::string_view FUNCTION(std::string_view file)`, declared in HEADER, which returns the text of the files named.
function(couplingd_embed target function header)
  set(files ${ARGN})
  list(TRANSFORM files PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${function}.cc)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DFUNCTION=${function} -DHEADER=${header} "-DFILES=${files}"
            -P ${CMAKE_SOURCE_DIR}/cmake/Embed.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/Embed.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
