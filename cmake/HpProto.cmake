# hp_proto(NAME FILES a.proto ...): the library holdpoint::NAME with the generated C++ of files that lie
# below schemas/. Include them as "holdpoint/v1/NAME.pb.h".
include_guard(GLOBAL)

function(hp_proto name)
  cmake_parse_arguments(ARG "" "" "FILES" ${ARGN})
  set(root ${PROJECT_SOURCE_DIR}/schemas)
  set(out ${PROJECT_BINARY_DIR}/proto)
  file(MAKE_DIRECTORY ${out})
  set(sources "")
  foreach(file IN LISTS ARG_FILES)
    string(REGEX REPLACE "\\.proto$" "" stem ${file})
    add_custom_command(
      OUTPUT ${out}/${stem}.pb.cc ${out}/${stem}.pb.h
      COMMAND protobuf::protoc --proto_path=${root} --cpp_out=${out} ${root}/${file}
      DEPENDS ${root}/${file}
      VERBATIM)
    list(APPEND sources ${out}/${stem}.pb.cc)
  endforeach()
  add_library(hp_${name} STATIC ${sources})
  add_library(holdpoint::${name} ALIAS hp_${name})
  target_include_directories(hp_${name} SYSTEM PUBLIC ${out})
  target_link_libraries(hp_${name} PUBLIC protobuf::libprotobuf)
endfunction()
