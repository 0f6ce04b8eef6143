"""Write the golden files anew."""

from tests.sql.golden import rendered, write
from tests.sql.statements import statements

write(rendered(statements()))
