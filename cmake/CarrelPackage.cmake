# Installs every layer as a component of its own, for find_package and for pkg-config:
#
#   find_package(carrel REQUIRED COMPONENTS local scope)   -> carrel::local, carrel::scope
#   pkg-config --cflags --libs carrel-scope
#
# A component brings those that it depends on. Only what a component itself needs is looked for:
# `local` and `scope` need neither Boost nor a database client.

include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/carrel)
get_property(layers GLOBAL PROPERTY CARREL_LAYERS)

# Foreign packages by component: how CMake finds them, and what pkg-config calls them.
set(cmake_needs_local "Threads")
set(cmake_needs_db "Threads")
set(cmake_needs_sqlite "SQLite3")
set(cmake_needs_postgres "PostgreSQL")
set(cmake_needs_mariadb "PkgConfig")
set(cmake_modules_mariadb libmariadb libssl libcrypto)  # found by pkg-config; libmariadb has no package of CMake's
set(pkgconfig_needs_sqlite "sqlite3")
set(pkgconfig_needs_postgres "libpq")
set(pkgconfig_needs_mariadb "libmariadb libssl libcrypto")

set(component_dependencies "")
foreach(layer IN LISTS layers)
  install(TARGETS carrel_${layer} EXPORT carrel-${layer}
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${layer}
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${layer})
  install(EXPORT carrel-${layer} NAMESPACE carrel:: DESTINATION ${package_dir}
          COMPONENT ${layer})
  if(EXISTS ${PROJECT_SOURCE_DIR}/include/carrel/${layer})
    install(DIRECTORY include/carrel/${layer} COMPONENT ${layer}
            DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/carrel)
  else()
    install(FILES include/carrel/drivers/${layer}.h COMPONENT ${layer}
            DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/carrel/drivers)
  endif()

  get_property(depends GLOBAL PROPERTY CARREL_LAYER_${layer}_DEPENDS)
  string(APPEND component_dependencies "set(_carrel_${layer}_needs ${depends})\n")
  foreach(package IN LISTS cmake_needs_${layer})
    string(APPEND component_dependencies "set(_carrel_${layer}_packages ${package})\n")
  endforeach()

  if(cmake_modules_${layer})
    string(APPEND component_dependencies
           "set(_carrel_${layer}_modules ${cmake_modules_${layer}})\n")
  endif()

  list(TRANSFORM depends PREPEND carrel- OUTPUT_VARIABLE requires)
  # A static library of ours does not bring what it calls; that is linked dynamically all the same,
  # and `pkg-config --static` would ask for the static libraries of everybody.
  get_target_property(type carrel_${layer} TYPE)
  set(PKGCONFIG_REQUIRES_PRIVATE "")
  if(type STREQUAL "STATIC_LIBRARY")
    list(APPEND requires ${pkgconfig_needs_${layer}})
  else()
    set(PKGCONFIG_REQUIRES_PRIVATE "${pkgconfig_needs_${layer}}")
  endif()
  list(JOIN requires " " PKGCONFIG_REQUIRES)
  set(PKGCONFIG_LAYER ${layer})
  get_target_property(definitions carrel_${layer} INTERFACE_COMPILE_DEFINITIONS)
  set(PKGCONFIG_DEFINITIONS "")
  if(definitions)
    list(TRANSFORM definitions PREPEND " -D")
    list(JOIN definitions "" PKGCONFIG_DEFINITIONS)
  endif()
  # Relative to the .pc file, so that `cmake --install --prefix` may put it anywhere.
  file(RELATIVE_PATH PKGCONFIG_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  configure_file(cmake/carrel.pc.in ${PROJECT_BINARY_DIR}/pkgconfig/carrel-${layer}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/pkgconfig/carrel-${layer}.pc COMPONENT ${layer}
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

set(CARREL_COMPONENTS ${layers})
set(CARREL_COMPONENT_DEPENDENCIES "${component_dependencies}")
configure_package_config_file(cmake/carrelConfig.cmake.in ${PROJECT_BINARY_DIR}/carrelConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/carrelConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/carrelConfig.cmake
              ${PROJECT_BINARY_DIR}/carrelConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT base)
