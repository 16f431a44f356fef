# cmake -DOUTPUT=out.cc -DFUNCTION=Name -DHEADER=its/header.h "-DFILES=a.csv;b.csv" -P Embed.cmake
# Writes `std::string_view Name(std::string_view file)`: the content of the file of that name, empty for any other.
set(text "// Generated from ${FILES}\n#include \"${HEADER}\"\n\nnamespace couplingd {\n\n")
string(APPEND text "std::string_view ${FUNCTION}(std::string_view file) {\n")
foreach(path ${FILES})
  get_filename_component(name ${path} NAME)
  file(READ ${path} content)
  string(APPEND text "  if (file == \"${name}\") return R\"embedded(${content})embedded\";\n")
endforeach()
string(APPEND text "  return {};\n}\n\n}  // namespace couplingd\n")
file(WRITE ${OUTPUT} "${text}")
