# One target per layer, with the same warnings and the same way to install everywhere.
#
#   carrel_layer(local SOURCES registry.cpp DEPENDS base)            -> carrel::local, installed
#   carrel_app_layer(ledger_domain SOURCES account.cpp DEPENDS base) -> for the programs only
#   carrel_test(thread_local_test SOURCES thread_local_test.cpp DEPENDS local LABELS concurrent)
#
# DEPENDS names layers of ours; PUBLIC and PRIVATE name foreign targets.

include(GNUInstallDirs)
include(GoogleTest)

# What the sanitizer builds of ./test build: the tests labelled `concurrent`.
add_custom_target(concurrent_tests)

add_library(carrel_warnings INTERFACE)
target_compile_options(carrel_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                       -Wnon-virtual-dtor -Woverloaded-virtual
                       $<$<BOOL:${CARREL_WERROR}>:-Werror>)

function(_carrel_target name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;PUBLIC;PRIVATE" ${ARGN})
  target_sources(${name} PRIVATE ${arg_SOURCES})
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:carrel_warnings> ${arg_PRIVATE} PUBLIC ${arg_PUBLIC})
  foreach(layer IN LISTS arg_DEPENDS)
    target_link_libraries(${name} PUBLIC carrel::${layer})
  endforeach()
endfunction()

function(carrel_layer layer)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;PUBLIC;PRIVATE" ${ARGN})
  add_library(carrel_${layer})
  add_library(carrel::${layer} ALIAS carrel_${layer})
  _carrel_target(carrel_${layer} ${ARGN})
  target_include_directories(carrel_${layer}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE ${PROJECT_SOURCE_DIR}/src)
  set_target_properties(carrel_${layer} PROPERTIES EXPORT_NAME ${layer}
                        POSITION_INDEPENDENT_CODE ON)
  set_property(GLOBAL APPEND PROPERTY CARREL_LAYERS ${layer})
  set_property(GLOBAL PROPERTY CARREL_LAYER_${layer}_DEPENDS ${arg_DEPENDS})
endfunction()

function(carrel_app_layer name)
  add_library(carrel_${name} STATIC)
  add_library(carrel::${name} ALIAS carrel_${name})
  _carrel_target(carrel_${name} ${ARGN})
  target_include_directories(carrel_${name} PUBLIC ${PROJECT_SOURCE_DIR}/apps)
endfunction()

function(carrel_test name)
  cmake_parse_arguments(arg "" "TIMEOUT;RESOURCE_LOCK" "SOURCES;DEPENDS;PUBLIC;PRIVATE;LABELS;FIXTURES" ${ARGN})
  add_executable(${name})
  _carrel_target(${name} SOURCES ${arg_SOURCES} DEPENDS ${arg_DEPENDS} PUBLIC ${arg_PUBLIC}
                 PRIVATE ${arg_PRIVATE} GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if("concurrent" IN_LIST arg_LABELS)
    add_dependencies(concurrent_tests ${name})
  endif()
  # One label a test: gtest_discover_tests takes a list apart, and the properties after it are lost.
  list(LENGTH arg_LABELS label_count)
  if(label_count GREATER 1)
    message(FATAL_ERROR "carrel_test(${name}): one label at most")
  endif()
  # gtest_discover_tests drops empty values, and would take the next property's name for one.
  set(properties TIMEOUT ${arg_TIMEOUT})
  foreach(property IN ITEMS LABELS:${arg_LABELS} FIXTURES_REQUIRED:${arg_FIXTURES}
                            RESOURCE_LOCK:${arg_RESOURCE_LOCK})
    if(property MATCHES "^([A-Z_]+):(.+)$")
      list(APPEND properties ${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
    endif()
  endforeach()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES ${properties})
endfunction()
